"""Contexts, requests and commands of one app inside those of another."""

from __future__ import annotations

import contextlib
import typing as t

import click.testing
import flask
import pytest

from dynaflask.cli import TenantCommand
from tests.support.two_apps import World


def save(world: World) -> str:
    """Make a call, as a view does."""
    world.Thread("forum", "subject").save()
    return ""


class TestContexts:
    """The innermost context is current, and the one around it goes on unchanged."""

    def test_one_in_two_in_one(self, world: World) -> None:
        """Each context has its own blocks, although the outer and the innermost are of one app."""
        db = world.db
        with world.one.app_context(), db.tenant("acme"):
            with world.two.app_context(), db.tenant("globex"):
                with world.one.app_context():
                    save(world)
                    with db.tenant("globex"):
                        save(world)
                save(world)
            save(world)
        assert world.sent() == ["one Thread", "one globex-Thread", "two globex-Thread", "one acme-Thread"]

    @pytest.mark.parametrize("app", ["one", "two"])
    def test_g_is_copied(self, world: World, app: str) -> None:
        """A program may hand over all that ``flask.g`` has: the other context, of either app, has its own tenant."""
        db = world.db
        tenants = iter(["acme", "globex"])
        db.tenant_loader(lambda: next(tenants))
        with world.one.app_context() as outer:
            save(world)
            with getattr(world, app).app_context() as inner:
                for name in outer.g:
                    setattr(flask.g, name, outer.g.get(name))
                save(world)
                inner.g = outer.g
                save(world)
            save(world)
        assert world.sent() == ["one acme-Thread", *[f"{app} globex-Thread"] * 2, "one acme-Thread"]

    def test_popped_in_the_wrong_order(self, world: World) -> None:
        """Flask reports it. No block of a popped context is in force afterwards."""
        first, second = world.one.app_context(), world.two.app_context()
        first.push()
        world.db.tenant("acme").__enter__()
        second.push()
        world.db.tenant("globex").__enter__()
        with pytest.raises(AssertionError, match="Popped wrong app context"):
            first.pop()
        with contextlib.suppress(LookupError, AssertionError, ValueError):
            second.pop()
        while flask.has_app_context():
            flask.globals.app_ctx._get_current_object().pop()
        for app in (world.two, world.one):
            with app.app_context():
                save(world)
        assert world.sent() == ["two Thread", "one Thread"]

    def test_after_an_error(self, world: World) -> None:
        """An error that leaves several contexts and blocks at once leaves nothing behind."""
        db = world.db
        with world.one.app_context():
            with pytest.raises(ZeroDivisionError), db.tenant("acme"), world.two.app_context(), db.tenant("globex"):
                1 / 0  # noqa: B018
            save(world)
        assert world.sent() == ["one Thread"]


class TestRequests:
    """Requests inside the contexts and blocks of an app."""

    @pytest.fixture(autouse=True)
    def views(self, world: World) -> None:
        """Views of both apps."""
        for app in (world.one, world.two):
            app.add_url_rule("/", "save", lambda: save(world))
            app.add_url_rule("/fail", "fail", lambda: 1 / 0)

    def test_a_test_client_inside_the_other_apps_block(self, world: World) -> None:
        """The request is its own app's, without the block around; and so is what follows the block's own."""
        with world.one.app_context(), world.db.tenant("acme"):
            world.two.test_client().get("/")
            save(world)
        assert world.sent() == ["two Thread", "one acme-Thread"]

    def test_a_test_client_inside_a_block_of_its_app(self, world: World) -> None:
        """Without a tenant loader, Flask runs the request in the current context, with its block."""
        with world.one.app_context(), world.db.tenant("acme"):
            world.one.test_client().get("/")
        assert world.sent() == ["one acme-Thread"]

    def test_with_a_tenant_loader_it_has_its_own_tenant(self, world: World) -> None:
        """Then the block around has no effect in the request."""
        world.db.tenant_loader(lambda: flask.request.headers.get("X-Tenant") if flask.has_request_context() else None)
        with world.one.app_context(), world.db.tenant("acme"):
            world.one.test_client().get("/", headers={"X-Tenant": "globex"})
            world.one.test_client().get("/")
            save(world)
        assert world.sent() == ["one globex-Thread", "one Thread", "one acme-Thread"]

    def test_a_client_that_preserves_its_context(self, world: World) -> None:
        """After the request, the client's context is current until its end, as Flask documents."""
        with world.one.app_context(), world.db.tenant("acme"):
            with world.two.test_client() as client:
                client.get("/")
                save(world)
            save(world)
        assert world.sent() == ["two Thread", "two Thread", "one acme-Thread"]

    @pytest.mark.parametrize("url", ["/", "/fail", "/none"])
    def test_a_block_of_before_request_and_teardown(self, world: World, url: str) -> None:
        """A block that one function enters and another leaves lasts for the request, with errors and without."""

        def enter() -> None:
            flask.g.block = world.db.tenant(flask.request.headers["X-Tenant"])
            flask.g.block.__enter__()

        def leave(error: BaseException | None) -> None:
            save(world)
            flask.g.block.__exit__(type(error), error, None)
            save(world)

        for app in (world.one, world.two):
            app.before_request(enter)
            app.teardown_request(leave)
        for app, tenant in ((world.one, "acme"), (world.two, "globex"), (world.one, "globex")):
            app.test_client().get(url, headers={"X-Tenant": tenant})
        view = {"/": 1}.get(url, 0)
        expected = [("one acme-Thread", "one Thread"), ("two globex-Thread", "two Thread")]
        expected.append(("one globex-Thread", "one Thread"))
        assert world.sent() == [place for inside, after in expected for place in [*[inside] * (view + 1), after]]

    def test_a_block_that_is_never_left(self, world: World) -> None:
        """A block that a function before the request enters, and none leaves, ends with the request."""

        def enter() -> None:
            if "X-Tenant" in flask.request.headers:
                world.db.tenant("acme").__enter__()

        for app in (world.one, world.two):
            app.before_request(enter)
        for app in (world.one, world.two):
            app.test_client().get("/", headers={"X-Tenant": "acme"})
            app.test_client().get("/")
        assert world.sent() == ["one acme-Thread", "one Thread", "two acme-Thread", "two Thread"]

    def test_a_view_that_calls_the_other_app(self, world: World) -> None:
        """A view may send a request to the other app from its tenant's block, and goes on in it."""

        def view() -> str:
            with world.db.tenant("acme"):
                world.two.test_client().get("/")
                return save(world)

        world.one.add_url_rule("/call", "call", view)
        world.one.test_client().get("/call")
        assert world.sent() == ["two Thread", "one acme-Thread"]


class TestCommands:
    """A command runs in its own app, whichever context is pushed around it."""

    @pytest.fixture(autouse=True)
    def command(self, world: World) -> None:
        """A command of both apps, and one table to create."""
        for app in (world.one, world.two):
            app.cli.command("save", cls=TenantCommand)(lambda: t.cast("None", save(world)))

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["save"], "two Thread"),
            (["save", "--tenant", "globex"], "two globex-Thread"),
            (["save", "--without-tenant"], "two Thread"),
            (["dynamo", "create", "Thread"], "two Thread"),
            (["dynamo", "drop", "Thread", "--yes"], "two Thread"),
        ],
        ids=["plain", "tenant", "without-tenant", "create", "drop"],
    )
    def test_inside_a_context_of_the_other_app(self, world: World, arguments: list[str], expected: str) -> None:
        """Flask would run it in the current context: ``drop`` would drop the other app's tables."""
        with world.one.app_context(), world.db.tenant("acme"):
            result = world.two.test_cli_runner().invoke(args=arguments)
            assert result.exit_code == 0, result.output
            assert set(world.sent()) == {expected}
            save(world)
        assert world.sent() == ["one acme-Thread"]

    def test_inside_a_context_of_its_app(self, world: World) -> None:
        """It runs in that context, with its block, as Flask documents; with an option, for the tenant of the option."""
        runner = world.one.test_cli_runner()
        with world.one.app_context(), world.db.tenant("acme"):
            runner.invoke(args=["save"])
            runner.invoke(args=["save", "--tenant", "globex"])
            save(world)
        assert world.sent() == ["one acme-Thread", "one globex-Thread", "one acme-Thread"]

    def test_without_flasks_script(self, world: World) -> None:
        """A command that a program calls itself has no app of its own, and runs in the current context."""
        command = world.one.cli.commands["save"]
        with world.two.app_context(), world.db.tenant("acme"):
            click.testing.CliRunner().invoke(command)
        assert world.sent() == ["two acme-Thread"]
