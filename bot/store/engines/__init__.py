"""Database clients that differ from Tortoise's own in one point each."""
