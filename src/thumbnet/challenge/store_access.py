"""Sessions as the database knows them: whose they are, and which were ended by logging out."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from thumbnet.challenge import auth
from thumbnet.challenge.entities import Team
from thumbnet.challenge.store_admin import team_of
from thumbnet.challenge.store_read import Reading
from thumbnet.challenge.tables import challenge, ended_session, team


@dataclass(frozen=True)
class Owner:
    """Whose session it is: a team's, the admin's, or, without either, anybody's."""

    team: Team | None = None
    is_admin: bool = False


class Access(Reading):
    """The database with the sessions of teams and of the admin."""

    def owner(self, nonce: str, token_hash: str, seal: str) -> Owner | None:
        """Return whose session this is now; None where it was ended by logging out.

        Args: token_hash: of the team's token, seal: of the admin's password; each empty without
        """
        ended = select(ended_session.c.nonce_hash)
        with self.reading() as connection:
            if connection.scalar(ended.where(ended_session.c.nonce_hash == _hash(nonce))):
                return None
            row = connection.execute(
                select(team).where(team.c.token_hash == token_hash)
            ).one_or_none()
            is_admin = auth.same_hash(_seal(connection), seal)
        return Owner(None if row is None else team_of(row), is_admin)

    def admin_seal(self) -> str:
        """Return what the admin's sessions carry; a new password changes it."""
        with self.reading() as connection:
            return _seal(connection)

    def end_session(self, nonce: str, until: datetime) -> None:
        """End a session for good, in all processes.

        Args: until: when its cookie is too old anyway, and the record of it may go
        """
        with suppress(IntegrityError), self.writing() as connection:  # ended twice is ended
            connection.execute(delete(ended_session).where(ended_session.c.until < self.clock()))
            row = {"nonce_hash": _hash(nonce), "until": until}
            connection.execute(insert(ended_session).values(row))


def _hash(nonce: str) -> str:
    return auth.hash_token(nonce)


def _seal(connection: Connection) -> str:
    return auth.seal(connection.execute(select(challenge.c.admin_hash)).scalar_one())
