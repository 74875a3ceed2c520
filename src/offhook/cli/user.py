"""`offhook user`: the users of a Cloud ID."""

from __future__ import annotations

import secrets
from itertools import islice
from typing import Annotated, Final

import msgspec
import typer

from offhook.cli import asking, user_csv, user_view, user_words
from offhook.cli.desk import open_desk
from offhook.cli.exits import Misused, print_object, reported
from offhook.cli.options import (
    AtOnceOption,
    CloudIdArgument,
    DataOption,
    JsonOption,
    RevealOption,
    UserArgument,
    YesOption,
    author,
    cloud_id,
    examples,
    user,
)
from offhook.cli.user_words import (
    AttributeOption,
    ExpiresOption,
    GeneratePasswordOption,
    PasswordStdinOption,
    PriorityOption,
    QuickDialOption,
    SecretFileOption,
    SetFileOption,
    SetOption,
    SetXmlOption,
    SipPasswordOption,
    SipUsernameOption,
    Words,
)
from offhook.core.secret import Secret
from offhook.provider.change import NOTHING
from offhook.provider.directory import Outcome

app = typer.Typer(
    name="user",
    help="Users of a Cloud ID: who may sign in, and what is set for each of them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("export", epilog=user_csv.EXPORT_EXAMPLES)(user_csv.export)
app.command("import", epilog=user_csv.IMPORT_EXAMPLES)(user_csv.import_)

_ADD: Final = examples(
    "offhook user add ann@EXAMPLE --generate-password --attribute tier=gold",
    "printf '%s\\n' PASSWORD SIP-PASSWORD | offhook user add ann@EXAMPLE --password-stdin \\",
    "    --sip-username B63349F4EE --sip-password-file - --set allowMessage=0",
)
_SET: Final = examples(
    "offhook user set ann@EXAMPLE --attribute tier=basic --set maxCalls=2 --unset allowVideo",
    "offhook user set ann@EXAMPLE --quick-dial 'desk,Front desk,200' --remove-quick-dial help",
    "offhook user set ann@EXAMPLE --ask-password",
)


@app.command(epilog=_ADD)
def add(
    who: UserArgument,
    password_stdin: PasswordStdinOption = False,
    generate_password: GeneratePasswordOption = False,
    sip_username: SipUsernameOption = None,
    sip_password_file: SipPasswordOption = None,
    attribute: AttributeOption = None,
    set_: SetOption = None,
    set_xml: SetXmlOption = None,
    set_file: SetFileOption = None,
    priority: PriorityOption = None,
    quick_dial: QuickDialOption = None,
    secret_file: SecretFileOption = None,
    expires: ExpiresOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Add a user. Asks for the password unless told otherwise; SIP credentials that are not given are made up."""
    with reported(as_json=json), open_desk(data) as desk:
        named = user(who)
        desk.tenants.get(named.cloud_id)
        password = _password(stdin=password_stdin, generate=generate_password)
        if password is None:
            otherwise = "Give the password with --password-stdin, or have one made with --generate-password."
            password = asking.password(f"Password of {named}", otherwise)
        words = Words(
            attributes=attribute or (),
            overrides=set_ or (),
            xml_overrides=set_xml or (),
            override_files=set_file or (),
            priority=priority,
            quick_dials=quick_dial or (),
            sip_username=sip_username,
            sip_password_file=sip_password_file,
            secret_files=secret_file or (),
            expires=expires,
        )
        change = words.change()
        outcome = desk.directory.add(*named, password, change, author())
        remarks = (*outcome.remarks, *desk.explain.unlicensed(named.cloud_id, change.overrides))
        outcome = msgspec.structs.replace(outcome, remarks=remarks)
        _tell(outcome, "Added", password if generate_password else None, json=json)


@app.command(epilog=examples("offhook user show ann@EXAMPLE --reveal-secrets"))
def show(who: UserArgument, reveal: RevealOption = False, data: DataOption = None, json: JsonOption = False) -> None:
    """Show a user with all that is set."""
    with reported(as_json=json), open_desk(data) as desk:
        found = desk.directory.get(*user(who))
        opened = desk.directory.open_secrets(found) if reveal else None
        found = desk.directory.opened(found) if reveal else found
        phones = [one for one in desk.installs.of_user(found.cloud_id, found.username) if one.ended is None]
        if json:
            print_object(user_view.record(found, opened) | user_view.phones_record(phones))
        else:
            user_view.show(found, opened, user_view.phones(phones))


@app.command("set", epilog=_SET)
def set_user(
    who: UserArgument,
    ask_password: Annotated[bool, typer.Option("--ask-password", help="Ask for a new password.")] = False,
    password_stdin: PasswordStdinOption = False,
    generate_password: GeneratePasswordOption = False,
    sip_username: SipUsernameOption = None,
    sip_password_file: SipPasswordOption = None,
    new_sip_password: Annotated[bool, typer.Option("--new-sip-password", help="Make a new SIP password up.")] = False,
    attribute: AttributeOption = None,
    remove_attribute: Annotated[list[str] | None, typer.Option(help="Forget an attribute.", metavar="NAME")] = None,
    set_: SetOption = None,
    set_xml: SetXmlOption = None,
    set_file: SetFileOption = None,
    unset: Annotated[list[str] | None, typer.Option(help="Take a key back that --set set.", metavar="KEY")] = None,
    priority: PriorityOption = None,
    quick_dial: QuickDialOption = None,
    remove_quick_dial: Annotated[
        list[str] | None, typer.Option(help="Take a quick dial off the user's phones.", metavar="ID")
    ] = None,
    secret_file: SecretFileOption = None,
    expires: ExpiresOption = None,
    remove_secret: Annotated[list[str] | None, typer.Option(help="Forget a secret.", metavar="NAME")] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Change a user; what is not mentioned stays."""
    with reported(as_json=json), open_desk(data) as desk:
        named = user(who)
        desk.directory.get(*named)
        password = _password(stdin=password_stdin, generate=generate_password)
        if ask_password and password is None:
            password = asking.password(f"New password of {named}", "Give the password with --password-stdin.")
        words = Words(
            attributes=attribute or (),
            remove_attributes=remove_attribute or (),
            overrides=set_ or (),
            xml_overrides=set_xml or (),
            override_files=set_file or (),
            unset=unset or (),
            priority=priority,
            quick_dials=quick_dial or (),
            remove_quick_dials=remove_quick_dial or (),
            sip_username=sip_username,
            sip_password_file=sip_password_file,
            new_sip_password=new_sip_password,
            secret_files=secret_file or (),
            remove_secrets=remove_secret or (),
            expires=expires,
        )
        change = words.change()
        if change == NOTHING and password is None:
            raise Misused("Say what to set: see offhook user set --help.")
        outcome = desk.directory.change(*named, change, password, author())
        remarks = (*outcome.remarks, *desk.explain.unlicensed(named.cloud_id, change.overrides))
        outcome = msgspec.structs.replace(outcome, remarks=remarks)
        done = "Set" if outcome.is_changed else "Nothing was changed for"
        _tell(outcome, done, password if generate_password else None, json=json)


@app.command(epilog=examples("offhook user suspend ann@EXAMPLE"))
def suspend(who: UserArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Keep a user from signing in until resumed; their phones are logged out when they next ask."""
    with reported(as_json=json), open_desk(data) as desk:
        _tell(Outcome(desk.directory.suspend(*user(who))), "Suspended", json=json)


@app.command(epilog=examples("offhook user resume ann@EXAMPLE"))
def resume(who: UserArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Let a suspended user sign in again."""
    with reported(as_json=json), open_desk(data) as desk:
        _tell(Outcome(desk.directory.resume(*user(who))), "Resumed", json=json)


@app.command("rotate-sip", epilog=examples("offhook user rotate-sip ann@EXAMPLE"))
def rotate_sip(
    who: UserArgument, at_once: AtOnceOption = False, data: DataOption = None, json: JsonOption = False
) -> None:
    """Give a user's phones new SIP passwords; they go on with those they have until they ask again."""
    with reported(as_json=json), open_desk(data) as desk:
        named = user(who)
        count = desk.rotation.of_user(*named, at_once=at_once)
        if json:
            print_object({"user": str(named), "accounts": count})
        else:
            typer.echo(f"{count} SIP account{'s' if count != 1 else ''} of {named} get new passwords.")


@app.command(epilog=examples("offhook user remove ann@EXAMPLE --yes"))
def remove(who: UserArgument, yes: YesOption = False, data: DataOption = None, json: JsonOption = False) -> None:
    """Forget a user, and every phone they signed in with."""
    with reported(as_json=json), open_desk(data) as desk:
        found = desk.directory.get(*user(who))
        asking.confirm(f"Remove {found.name} for good?", yes=yes)
        desk.directory.remove(found.cloud_id, found.username)
        if json:
            print_object({"removed": found.name})
        else:
            typer.echo(f"Removed {found.name}.")


@app.command("list", epilog=examples("offhook user list EXAMPLE --limit 20", "offhook user list EXAMPLE --json"))
def list_users(
    app_id: CloudIdArgument,
    limit: Annotated[
        int | None, typer.Option(min=0, help=f"How many; 0 for all. {user_view.PAGE} on a terminal, else all.")
    ] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """List the users of a Cloud ID by name."""
    with reported(as_json=json), open_desk(data) as desk:
        found = desk.directory.list(cloud_id(app_id))
        most = limit if limit is not None else 0 if json else user_view.page()
        users = islice(found, most or None)
        if json:
            user_view.write_records(users)
        else:
            user_view.show_all(users, desk.directory.count(cloud_id(app_id)))


def _password(*, stdin: bool, generate: bool) -> Secret | None:
    if stdin and generate:
        raise Misused("--password-stdin gives a password, --generate-password makes one up: choose.")
    if generate:
        return user_words.new_password(secrets.token_bytes)
    return asking.line() if stdin else None


def _tell(outcome: Outcome, done: str, made: Secret | None = None, *, json: bool) -> None:
    """Say what came of a command; `made` is a password that is shown here and never again."""
    found = outcome.subscriber
    if json:
        remarks = [{"place": remark.place, "text": remark.text} for remark in outcome.remarks]
        print_object(
            user_view.record(found)
            | {"is_changed": outcome.is_changed, "remarks": remarks}
            | ({"made": made.reveal()} if made else {})
        )
        return
    typer.echo(f"{done} {found.name}.")
    if made:
        typer.echo(f"Password, shown only now: {made.reveal()}")
    user_view.remark(outcome.remarks)
