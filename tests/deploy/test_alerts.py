"""Every alert fires for its fault, and none while all is well; promtool simulates the hours."""

import json
import os
import pathlib
import subprocess
from typing import Any, Final

import pytest

from tests.deploy.test_monitoring import PROMETHEUS, RULES
from tests.support import needs

WELL: Final = {
    'up{job="ingest",instance="a"}': "1x180",
    'up{job="broadcast",instance="b"}': "1x180",
    'up{job="worker",instance="w"}': "1x180",
    'up{job="caddy",instance="c"}': "1x180",
    'pulse_worker_lease_held{instance="w"}': "1x180",
    'pulse_worker_lease_held{instance="w2"}': "0x180",
    'pulse_archive_lag_seconds{instance="w"}': "8x180",
    'pulse_archive_lag_seconds{instance="w2"}': "0x180",
    'pulse_archive_margin_seconds{instance="w"}': "3024000x180",
    'pulse_archive_margin_seconds{instance="w2"}': "3024000x180",
    'pulse_archive_failures_total{instance="w",side="database"}': "3x180",
    'pulse_archive_failures_total{instance="w",side="redis"}': "0+1x180",
    "redis_up": "1x180",
    "redis_memory_used_bytes": "100x180",
    "redis_memory_max_bytes": "1000x180",
    "redis_aof_last_write_status": "1x180",
    "redis_aof_last_bgrewrite_status": "1x180",
    'process_start_time_seconds{job="ingest",instance="a"}': "100x180",
    'process_open_fds{job="broadcast",instance="b"}': "20x180",
    'process_max_fds{job="broadcast",instance="b"}': "65536x180",
    'process_cpu_seconds_total{job="broadcast",instance="b"}': "0+1x180",
    'pulse_upstream_ok{instance="b"}': "1x180",
    'pulse_studio_file_ok{instance="b"}': "1x180",
    'process_start_time_seconds{job="broadcast",instance="b"}': "-7200x180",
    'pulse_feeds{instance="b"}': "40x180",
    'pulse_history_feeds{instance="b"}': "120x180",
    'pulse_ingest_readings_total{result="accepted"}': "0+80x180",
    'pulse_ingest_responses_total{status="200"}': "0+80x180",
    'pulse_ingest_responses_total{status="429"}': "0+1x180",
    'pulse_commit_failures_total{error="TimeoutError"}': "0x180",
    'pulse_commit_duration_seconds_bucket{le="0.005"}': "0+80x180",
    'pulse_commit_duration_seconds_bucket{le="1.0"}': "0+80x180",
    'pulse_commit_duration_seconds_bucket{le="+Inf"}': "0+80x180",
    'pulse_flush_duration_seconds_bucket{instance="b",le="0.005"}': "0+80x180",
    'pulse_flush_duration_seconds_bucket{instance="b",le="1.0"}': "0+80x180",
    'pulse_flush_duration_seconds_bucket{instance="b",le="+Inf"}': "0+80x180",
    'pulse_commit_to_relay_seconds_bucket{le="0.005"}': "0+80x180",
    'pulse_commit_to_relay_seconds_bucket{le="5.0"}': "0+80x180",
    'pulse_commit_to_relay_seconds_bucket{le="+Inf"}': "0+80x180",
    'pulse_websocket_handshakes_total{status="101"}': "0+1x180",
    'pulse_websocket_handshakes_total{status="429"}': "0x180",
    'pulse_websocket_closes_total{reason="client gone"}': "0+1x180",
    'pulse_websocket_closes_total{reason="too slow"}': "0x180",
    "pulse_readings_malformed_total": "0x180",
}
FAULTS: Final = {
    "IngestDown": {'up{job="ingest",instance="a"}': "0x180"},
    "BroadcastDown": {'up{job="broadcast",instance="b"}': ""},
    "ReplicaDown": {'up{job="ingest",instance="a2"}': "0x180"},
    "RestartLoop": {'process_start_time_seconds{job="ingest",instance="a"}': "100+1x180"},
    "UpstreamDegraded": {'pulse_upstream_ok{instance="b2"}': "0x180"},
    "StudioFileRefused": {'pulse_studio_file_ok{instance="b2"}': "0x180"},
    "RedisDown": {"redis_up": "0x180"},
    "RedisMemoryLow": {"redis_memory_used_bytes": "900x180"},
    "RedisNotPersisting": {"redis_aof_last_write_status": "0x180"},
    "WorkerDown": {'up{job="worker",instance="w"}': ""},
    "WorkerWithoutLease": {'pulse_worker_lease_held{instance="w"}': "0x180"},
    "ArchiveBehind": {'pulse_archive_lag_seconds{instance="w"}': "600+10x180"},
    "ArchiveMarginLow": {'pulse_archive_margin_seconds{instance="w"}': "500000x180"},
    "ArchiveDatabaseFailing": {'pulse_archive_failures_total{instance="w",side="database"}': "3+0.17x180"},
    "ArchiveDayDamaged": {'pulse_archive_damaged_days{instance="b"}': "0x20 1x180"},
    "CommitsFailing": {'pulse_commit_failures_total{error="TimeoutError"}': "0+5x180"},
    "CommitsSlow": {'pulse_commit_duration_seconds_bucket{le="0.005"}': "0+40x180"},
    "ReadingsRefused": {'pulse_ingest_responses_total{status="503"}': "0+10x180"},
    "NoReadings": {'pulse_ingest_readings_total{result="accepted"}': "80x180"},
    "DashboardsRefused": {'pulse_websocket_handshakes_total{status="429"}': "0+5x180"},
    "SlowClientsDisconnected": {'pulse_websocket_closes_total{reason="too slow"}': "0+5x180"},
    "FlushesSlow": {'pulse_flush_duration_seconds_bucket{instance="b",le="0.005"}': "0+40x180"},
    "RelayDelayed": {'pulse_commit_to_relay_seconds_bucket{le="0.005"}': "0+40x180"},
    "FeedsGrowing": {'pulse_feeds{instance="b"}': "40+10x180"},
    "HistoryFeedsGrowing": {'pulse_history_feeds{instance="b"}': "120+10x180"},
    "MalformedReadings": {"pulse_readings_malformed_total": "0+1x180"},
    "FileDescriptorsLow": {'process_open_fds{job="broadcast",instance="b"}': "60000x180"},
    "CPUSaturated": {'process_cpu_seconds_total{job="broadcast",instance="b"}': "0+9.9x180"},
}


def play(directory: pathlib.Path, fault: dict[str, str], firing: list[str]) -> None:
    """Half an hour of one fault in otherwise healthy series, judged every half minute; exactly these alerts fire at its end."""
    (directory / "alerts.yml").write_text((PROMETHEUS / "alerts.yml").read_text())
    series = [{"series": name, "values": values} for name, values in (WELL | fault).items() if values]
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in firing]
    expected = {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "29m", "exp_samples": samples}
    test: dict[str, Any] = {"interval": "10s", "input_series": series, "promql_expr_test": [expected]}
    story = {"rule_files": ["alerts.yml"], "evaluation_interval": "30s", "tests": [test]}
    (directory / "story.yml").write_text(json.dumps(story))
    command = [needs.promtool(), "test", "rules", "story.yml"]
    environment = {**os.environ, "GOGC": "off"}  # it ends before its garbage matters
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_fires_while_all_is_well(tmp_path: pathlib.Path) -> None:
    """False alarms make people ignore alerts."""
    play(tmp_path, {}, [])


@pytest.mark.parametrize("alert", [rule["alert"] for rule in RULES])
def test_an_alert_fires_on_its_fault(tmp_path: pathlib.Path, alert: str) -> None:
    """It alone, but for a service's last replica, which is a replica too."""
    play(tmp_path, FAULTS[alert], [alert, *(["ReplicaDown"] if alert == "IngestDown" else [])])
