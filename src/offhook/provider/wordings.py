"""In which words a Cloud ID speaks to its users: its app's name from the portal, the rest as the operator set it."""

from __future__ import annotations

from collections.abc import Callable

from offhook.core.errors import NotFound
from offhook.provider.invitation import Wording
from offhook.provider.ports import TenantStore
from offhook.provider.tenant import Tenant


class Wordings:
    """Looks them up; `app_name` says how the portal calls an app, or nothing. It waits for the database."""

    def __init__(self, tenants: TenantStore, app_name: Callable[[str], str]) -> None:
        self._tenants, self._app_name = tenants, app_name

    def of(self, cloud_id: str) -> Wording:
        """The words of a Cloud ID. Raises Unavailable."""
        try:
            inviting = self._tenants.get(cloud_id).inviting
        except NotFound:
            inviting = Tenant(cloud_id).inviting
        return Wording(
            cloud_id=cloud_id,
            app=inviting.app or self._app_name(cloud_id) or cloud_id,
            support=inviting.support,
            language=inviting.language,
            scheme=inviting.scheme,
        )
