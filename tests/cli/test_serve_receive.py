"""`serve` and `receive`, as processes."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests import builders as make
from tests.flows.programs import SECRET, run, serving

UNSET = dict.fromkeys(["WEBHOOK_SECRET"])


def _status(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=10) as response:
            status: int = response.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_on_sqlite_one_process_does_it_all(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_bytes(make.event("completed", workflow_run=make.run()))
    with serving(tmp_path) as address:
        sent = run(tmp_path, "receive", "--event", "workflow_run", "--file", str(file), "--url", address)
        guid = sent.out.split()[-1]
        assert (sent.code, sent.err, sent.out) == (0, "", f'202 {{"status":"accepted"}} {guid}\n')
        again = ("receive", "--event", "workflow_run", "--file", str(file), "--delivery", guid)
        port = address.rpartition(":")[2]
        assert run(tmp_path, *again, PORT=port).out == f'202 {{"status":"duplicate"}} {guid}\n'
        wrong = run(tmp_path, *again, "--url", address, WEBHOOK_SECRET="another")
        assert (wrong.code, wrong.out[:3]) == (1, "401")
        elsewhere = run(tmp_path, *again, "--url", f"{address}/api/elsewhere")
        assert (elsewhere.code, elsewhere.out[:3]) == (1, "404")
        assert _status(f"{address}/readyz") == 200
    assert "handled" in run(tmp_path, "inbox", "list").out


def test_without_any_setting_it_says_what_to_do(tmp_path: Path) -> None:
    with serving(tmp_path, **UNSET) as address:
        assert _status(address) == 200
        request = urllib.request.Request(f"{address}/api/github/webhooks", b"{}", {"Content-Type": "application/json"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        assert refused.value.code == 401
        refused.value.close()


def test_on_sqlite_the_worker_and_migrating_can_be_left_out(tmp_path: Path) -> None:
    refused = run(tmp_path, "serve", "--no-migrate", "--port", "0")
    assert (refused.code, "runledger migrate" in refused.err) == (1, True)
    assert run(tmp_path, "migrate").code == 0
    with serving(tmp_path, "--no-worker", "--no-migrate") as address:
        assert _status(f"{address}/readyz") == 503


def test_on_postgresql_worker_and_migrating_are_asked_for(tmp_path: Path, postgres_url: str) -> None:
    refused = run(tmp_path, "serve", "--port", "0", DATABASE_URL=postgres_url)
    assert (refused.code, "runledger migrate" in refused.err) == (1, True)
    refused = run(tmp_path, "worker", DATABASE_URL=postgres_url)
    assert (refused.code, "runledger migrate" in refused.err) == (1, True)
    with serving(tmp_path, "--migrate", "--worker", DATABASE_URL=postgres_url) as address:
        assert _status(f"{address}/healthz") == 200
    file = tmp_path / "ping.json"
    # What can't be read is left to a worker, and there is none.
    file.write_text(json.dumps(["Keep it."]))
    with serving(tmp_path, DATABASE_URL=postgres_url) as address:
        sent = run(tmp_path, "receive", "--event", "ping", "--file", str(file), "--url", address)
        assert sent.code == 0
        assert _status(f"{address}/readyz") == 503
    assert "waiting" in run(tmp_path, "inbox", "list", DATABASE_URL=postgres_url).out


def test_secrets_stay_out_of_what_is_written(tmp_path: Path) -> None:
    with serving(tmp_path, LOG_LEVEL="debug") as address:
        _status(f"{address}/{SECRET.replace(' ', '%20')}")
    written = "".join(path.read_text() for path in tmp_path.glob("service-*"))
    assert "listening" in written
    assert SECRET not in written
