"""Every run of a stage leaves an account: what became of each clip, and what it took."""

import json

from merprep.records import Outcome, StageReport
from merprep.store.accounts import keep_account, read_journal

REPORT = StageReport(
    "flow",
    (Outcome("samm/006/a", "done"), Outcome("samm/006/b", "skipped", "no apex"), Outcome("samm/006/c", "failed", "x")),
    seconds=1.25,
    outputs=("features/flow-1.h5",),
)


def test_the_journal_grows_by_one_line_a_run_and_reads_back(workspace):
    keep_account(workspace, REPORT)
    assert keep_account(workspace, REPORT, subject="samm") is REPORT
    first, second = read_journal(workspace)
    assert (first.stage, first.seconds, first.outputs) == ("flow", 1.25, ("features/flow-1.h5",))
    assert first.counts == {"in": 3, "done": 1, "skipped": 1, "failed": 1}
    assert (first.subject, second.subject) == ("", "samm")


def test_the_account_names_every_clip_that_is_not_done_with_its_reason(workspace):
    keep_account(workspace, REPORT)
    account = json.loads((workspace.reports / "account-flow.json").read_text(encoding="utf-8"))
    assert account["skipped"] == {"samm/006/b": "no apex"}
    assert account["failed"] == {"samm/006/c": "x"}


def test_an_account_is_json_as_people_read_it(workspace):
    odd = Outcome('a/"1"/é\\', "failed", "line one\nline two")
    for report in (REPORT, StageReport("flow", (*REPORT.outcomes, odd)), StageReport("flow", ())):
        keep_account(workspace, report)
        text = (workspace.reports / "account-flow.json").read_text(encoding="utf-8")
        account = json.loads(text)
        assert text == json.dumps(account, indent=2, ensure_ascii=False) + "\n"
        assert account["failed"] == {outcome.clip_id: outcome.reason for outcome in report.of_state("failed")}


def test_a_line_that_was_cut_off_does_not_hide_the_others(workspace):
    keep_account(workspace, REPORT)
    path = workspace.reports / "journal.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + '{"stage": "fl', encoding="utf-8")
    assert [entry.stage for entry in read_journal(workspace)] == ["flow"]
