"""How long texts may be that are looked up by value, so that PostgreSQL can index them."""

NAME = 512
WORD = 64
