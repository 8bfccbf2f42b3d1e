"""The dashboards: is it well, what does the engine do, and how are nodes and models."""

from __future__ import annotations

from typing import Any

from observability_parts.panels import PICK, Panel, Query, dashboard, quantiles, rate

FAILURES = "internal|runtime_failed|bundle_error|model_unavailable|not_ready|overloaded"  # as in rules.yaml

SERVICE = (
    Panel("Requests", "reqps", (Query(rate("brood_requests_total", "model"), "{{model}}"),), "Ended, by model."),
    Panel(
        "Outcomes",
        "reqps",
        (Query(rate("brood_requests_total", "code"), "{{code}}"),),
        "Requests by outcome: ok, or the error's code.",
        stacked=True,
    ),
    Panel(
        "Failures",
        "percentunit",
        (
            Query(
                f'(sum(rate(brood_requests_total{{code=~"{FAILURES}"}}[$__rate_interval])) or vector(0)) '
                "/ sum(rate(brood_requests_total[$__rate_interval]))",
                "failed",
            ),
        ),
        "Part of the requests that failed for a reason that is not the caller's. The objective is below 0.1 %.",
    ),
    Panel("Latency", "s", quantiles("brood_request_duration_seconds"), "From arrival to the last byte handed over."),
    Panel("First sample", "s", quantiles("brood_first_sample_seconds"), "From arrival to the first finished sample."),
    Panel("First preview", "s", quantiles("brood_first_preview_seconds"), "From arrival to the first preview."),
    Panel("Queue", "s", quantiles("brood_queue_duration_seconds"), "From admission until the first sample began."),
    Panel(
        "Steps",
        "s",
        quantiles("brood_run_duration_seconds"),
        "From when the first sample began until the last one ended.",
    ),
    Panel("Encoding", "s", quantiles("brood_encode_duration_seconds"), "Time to encode an answer or event."),
    Panel("Samples", "cps", (Query(rate("brood_samples_total", "model"), "{{model}}"),), "Samples made."),
    Panel(
        "Protocols",
        "reqps",
        (Query(rate("brood_requests_total", "protocol"), "{{protocol}}"),),
        "Requests by the way they came.",
    ),
    Panel(
        "Refusals",
        "reqps",
        (Query(rate("brood_rejections_total", "reason", ""), "{{reason}}"),),
        "Requests refused before any work was begun.",
    ),
    Panel(
        "Deadlines missed",
        "reqps",
        (Query(rate("brood_deadline_misses_total", "model"), "{{model}}"),),
        "Requests taken in whose deadline passed.",
    ),
)

OCCUPANCY = (
    f"{rate('brood_row_steps_total', 'model')} / "
    f"({rate('brood_row_steps_total', 'model')} + ({rate('brood_padding_rows_total', 'model')} or "
    f"0 * {rate('brood_row_steps_total', 'model')}))"
)
ENGINE = (
    Panel(
        "Device at work",
        "percentunit",
        (Query(rate("brood_step_duration_seconds_sum", "instance"), "{{instance}}"),),
        "Part of the time that graph calls take; 1 for each engine that never rests.",
    ),
    Panel(
        "Backlog",
        "s",
        (
            Query("sum by (instance) (brood_backlog_seconds)", "{{instance}}"),
            Query("sum(brood_backlog_limit_seconds)", "limit"),
        ),
        "Predicted device time of all that is accepted and not yet made.",
    ),
    Panel(
        "Samples that wait", "short", (Query("sum by (instance) (brood_queued_rows)", "{{instance}}"),), "Not begun."
    ),
    Panel("Row-steps", "cps", (Query(rate("brood_row_steps_total", "model"), "{{model}}"),), "Rows in graph calls."),
    Panel(
        "Graph calls",
        "cps",
        (Query(rate("brood_step_duration_seconds_count", "model, graph"), "{{model}} {{graph}}"),),
        "By graph.",
    ),
    Panel(
        "Rows in a call",
        "short",
        (
            Query(
                f"{rate('brood_batch_rows_sum', 'model')} / {rate('brood_batch_rows_count', 'model')}", "{{model}} mean"
            ),
        ),
        "How well calls are filled by requests that come together.",
    ),
    Panel("Occupancy", "percentunit", (Query(OCCUPANCY, "{{model}}"),), "Part of the computed rows that are samples."),
    Panel(
        "Padding",
        "cps",
        (Query(rate("brood_padding_rows_total", "model"), "{{model}}"),),
        "Rows computed only to fill a bucket.",
    ),
    Panel("Duration of a call", "s", quantiles("brood_step_duration_seconds", "graph"), "By graph."),
    Panel(
        "Error of predictions",
        "percentunit",
        quantiles("brood_step_prediction_error_ratio"),
        "|observed / predicted - 1| of the duration of graph calls.",
    ),
    Panel(
        "Wasted",
        "percentunit",
        (
            Query(
                "sum(rate(brood_wasted_seconds_total[$__rate_interval])) "
                "/ sum(rate(brood_step_duration_seconds_sum[$__rate_interval]))",
                "wasted",
            ),
        ),
        "Part of the device's time that went into samples nobody got.",
    ),
    Panel(
        "Drift from the golden samples",
        "percentunit",
        (Query(f"max by (model, version) (brood_parity_drift_ratio{{{PICK}}})", "{{model}} {{version}}"),),
        "Largest difference of a golden sample made here from the recorded one, in parts of its tolerance.",
    ),
)

NODES = (
    Panel("Exporters", "short", (Query('sum(up{job="brood"})', "answer"),), "Nodes whose metrics are told.", "stat"),
    Panel("Processes", "short", (Query("sum by (instance) (brood_processes)", "{{instance}}"),), "Living.", "stat"),
    Panel("Versions", "short", (Query("count by (version) (brood_build_info)", "{{version}}"),), "Of brood.", "stat"),
    Panel(
        "Models ready",
        "short",
        (Query(f"sum by (model, version) (brood_model_ready{{{PICK}}})", "{{model}} {{version}}"),),
        "Processes in which the model is ready.",
    ),
    Panel(
        "Models failed",
        "short",
        (Query(f"sum by (model, version) (brood_model_failed{{{PICK}}})", "{{model}} {{version}}"),),
        "Processes in which the model could not be loaded.",
    ),
    Panel(
        "Bundles",
        "short",
        (Query(f"brood_bundle_info{{{PICK}}} == 1", "{{model}} {{version}} on {{device}}: {{numerics_id}}"),),
        "What is loaded; equal numbers behind the colon: equal bits.",
    ),
    Panel(
        "Memory for unfinished samples",
        "bytes",
        (Query(f"sum by (model) (brood_state_bytes{{{PICK}}})", "{{model}}"),),
        "Set aside when the model is loaded.",
        stacked=True,
    ),
    Panel(
        "Links to workers",
        "short",
        (
            Query("sum by (instance) (brood_worker_links)", "{{instance}}"),
            Query("sum(increase(brood_lost_workers_total[$__rate_interval]))", "lost"),
        ),
        "From ingresses of a split server, and how many broke.",
    ),
    Panel(
        "Requests held",
        "short",
        (Query("sum by (instance) (brood_held_requests)", "{{instance}}"),),
        "They wait for a model that no worker has ready.",
    ),
    Panel(
        "Made again",
        "cps",
        (
            Query("sum(rate(brood_resubmitted_samples_total[$__rate_interval]))", "samples sent to another worker"),
            Query("sum(rate(brood_duplicate_samples_total[$__rate_interval]))", "samples that came twice"),
            Query("sum(rate(brood_given_up_requests_total[$__rate_interval]))", "requests given up"),
        ),
        "After workers were lost.",
    ),
    Panel(
        "Starts",
        "short",
        (Query("sum by (part) (increase(brood_process_starts_total[15m]))", "{{part}}"),),
        "Processes started within 15 minutes; in quiet times none.",
    ),
)
DEVICES = (
    Panel(
        "Device memory",
        "percentunit",
        (Query("brood_device_memory_used_bytes / brood_device_memory_bytes", "{{instance}} {{device}}"),),
        "In use by anybody.",
    ),
    Panel(
        "Device memory in use",
        "bytes",
        (Query("brood_device_memory_used_bytes", "{{instance}} {{device}}"),),
        "By anybody.",
    ),
    Panel(
        "Device at work",
        "percentunit",
        (Query("brood_device_utilisation_ratio", "{{instance}} {{device}}"),),
        "As its driver tells it.",
    ),
)

DASHBOARDS: dict[str, dict[str, Any]] = {
    "service.json": dashboard("brood-service", "brood: service", "What callers see.", SERVICE),
    "engine.json": dashboard("brood-engine", "brood: engine", "How devices are used.", ENGINE),
    "nodes.json": dashboard("brood-nodes", "brood: nodes and models", "What runs where.", NODES),
    "devices.json": dashboard("brood-devices", "brood: GPUs", "Where there are any.", DEVICES),
}
