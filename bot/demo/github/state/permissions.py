"""The permissions that an App may ask for, and the events that each of them lets it subscribe to.

https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

_READ, _WRITE = ("read",), ("write",)
_USUAL, _WITH_ADMIN = (*_READ, *_WRITE), (*_READ, *_WRITE, "admin")

_USUAL_NAMES = """
actions administration artifact_metadata attestations checks code_quality codespaces contents
custom_properties_for_organizations dependabot_secrets deployments discussions email_addresses environments followers
git_ssh_keys gpg_keys interaction_limits issues members merge_queues metadata organization_administration
organization_announcement_banners organization_copilot_agent_settings organization_copilot_seat_management
organization_custom_org_roles organization_custom_roles organization_hooks organization_packages
organization_personal_access_token_requests organization_personal_access_tokens organization_secrets
organization_self_hosted_runners organization_user_blocking packages pages pull_requests repository_advisories
repository_custom_properties repository_hooks secret_scanning_alerts secrets security_events single_file starring
statuses vulnerability_alerts
"""

LEVELS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_USUAL_NAMES.split(), _USUAL),
    **dict.fromkeys(("organization_copilot_requests", "organization_events", "organization_plan"), _READ),
    **dict.fromkeys(("profile", "workflows"), _WRITE),
    "enterprise_custom_properties_for_organizations": _WITH_ADMIN,
    "organization_custom_properties": _WITH_ADMIN,
    "organization_external_properties_for_repos": _WITH_ADMIN,
    "organization_projects": _WITH_ADMIN,
    "repository_projects": _WITH_ADMIN,
}

_EVENTS_OF = {
    "actions": "workflow_job workflow_run",
    "administration": """
        branch_protection_configuration branch_protection_rule deploy_key repository_ruleset security_and_analysis
    """,
    "checks": "check_run check_suite",
    "contents": "commit_comment create delete fork gollum push release repository_dispatch workflow_dispatch",
    "deployments": "deployment deployment_protection_rule deployment_review deployment_status",
    "discussions": "discussion discussion_comment",
    "issues": "issue_comment issue_dependencies issues milestone sub_issues",
    "members": "member membership organization team team_add",
    "merge_queues": "merge_group",
    "metadata": "label meta public repository security_advisory star watch",
    "organization_administration": "organization",
    "organization_custom_properties": "custom_property custom_property_values",
    "organization_personal_access_token_requests": "personal_access_token_request",
    "organization_projects": "projects_v2 projects_v2_item projects_v2_status_update",
    "organization_user_blocking": "org_block",
    "packages": "package registry_package",
    "pages": "page_build",
    "pull_requests": """
        issue_comment milestone pull_request pull_request_review pull_request_review_comment pull_request_review_thread
    """,
    "repository_advisories": "repository_advisory",
    "secret_scanning_alerts": "secret_scanning_alert secret_scanning_alert_location secret_scanning_scan",
    "security_events": "code_scanning_alert",
    "statuses": "status",
    "vulnerability_alerts": "dependabot_alert repository_vulnerability_alert",
}

SUBSCRIBABLE: frozenset[str] = frozenset(event for events in _EVENTS_OF.values() for event in events.split())


def events_allowed_by(permissions: dict[str, str]) -> set[str]:
    """Return the events that an App with these permissions may subscribe to; on metadata every App has one."""
    return {event for name in {"metadata", *permissions} for event in _EVENTS_OF.get(name, "").split()}
