"""Runs every panel's query and every rule of the dashboards in a real Prometheus, beside a gateway that
is at work. Prints, as JSON, what each panel showed, and what is wrong.

    prometheus.py REPOSITORY GATEWAY FOLDER PORT ALERT,ALERT [VARIABLE=VALUE ...]

GATEWAY is host:port of the observe listener; FOLDER is empty and takes what Prometheus writes; PORT is for
Prometheus; each ALERT is waited for until it fires; a VARIABLE of dashboards that is not given has its first value. Hours before the start are filled from the gateway's
own page, so that windows longer than the test have data, and alerts do not wait before they fire.
"""

import json
import math
import pathlib
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

REPOSITORY, GATEWAY, FOLDER = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
PORT, EXPECTED = int(sys.argv[4]), set(sys.argv[5].split(","))
CHOSEN = dict(argument.split("=", 1) for argument in sys.argv[6:])
HISTORY = 8 * 3600
DEADLINE = 240


def get(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()


def fill(page, end):
    """A file of OpenMetrics: every series of the page, counters growing to half of what they are."""
    lines = []
    labels = f'instance="{GATEWAY}",job="gateway"'
    for line in page.splitlines():
        if line.startswith("#"):
            if line.startswith("# TYPE"):
                name, kind = line.split()[2:4]
            continue
        series, value = line.rsplit(" ", 1)
        grows = kind == "histogram" or kind == "counter"
        head, brace, rest = series.partition("{")
        series = head + "{" + labels + ("," + rest if brace else "}")
        for at in range(end - HISTORY, end, 60):
            share = 0.5 * (at - end + HISTORY) / HISTORY if grows else 1
            lines.append((head, f"{series} {float(value) * share:g} {at}"))
    # A family's samples stand together, of unknown kind: nothing here looks at kinds.
    lines.sort(key=lambda pair: pair[0])
    return "\n".join(line for _, line in lines) + "\n# EOF\n"


def start(port):
    data = FOLDER / "data"
    (FOLDER / "history.txt").write_text(fill(get(f"http://{GATEWAY}/metrics"), int(time.time()) - 60))
    made = subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet",
         str(FOLDER / "history.txt"), str(data)],
        capture_output=True, text=True)
    if made.returncode != 0:
        sys.exit(f"promtool: {made.stdout}{made.stderr}")
    rules = REPOSITORY / "dashboards/prometheus"
    alerts = (rules / "alerts.yml").read_text()
    (FOLDER / "alerts.yml").write_text(re.sub(r"\n        for: \w+", "", alerts))
    (FOLDER / "prometheus.yml").write_text(json.dumps({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules / "recording.yml"), str(FOLDER / "alerts.yml")],
        "scrape_configs": [{
            "job_name": "gateway", "static_configs": [{"targets": [GATEWAY]}],
        }],
    }))
    return subprocess.Popen(
        ["prometheus", f"--config.file={FOLDER}/prometheus.yml", f"--storage.tsdb.path={data}",
         f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"],
        stdout=subprocess.DEVNULL, stderr=(FOLDER / "prometheus.log").open("w"))


class Asked:
    """The HTTP API of one Prometheus."""

    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"

    def api(self, path, **parameters):
        url = f"{self.base}/api/v1/{path}?" + urllib.parse.urlencode(parameters)
        try:
            return json.loads(get(url))["data"]
        except urllib.error.HTTPError as refused:
            raise ValueError(json.loads(refused.read())["error"]) from refused

    def is_ready(self):
        try:
            return get(f"{self.base}/-/ready") is not None
        except (urllib.error.URLError, ConnectionError):
            return False

    def series(self, query, is_range):
        """The last value of each series, by its labels; series without a number are left out."""
        if is_range:
            now = time.time()
            result = self.api("query_range", query=query, start=now - 120, end=now, step=5)["result"]
            pairs = [(one["metric"], [value for _, value in one["values"]]) for one in result]
        else:
            result = self.api("query", query=query)["result"]
            pairs = [(one["metric"], [one["value"][1]]) for one in result]
        found = []
        for labels, values in pairs:
            numbers = [float(value) for value in values if not math.isnan(float(value))]
            if numbers:
                found.append((labels, numbers[-1]))
        return found


def variables(dashboard, asked):
    """A value for each variable, as Grafana would fill it in."""
    values = {"__rate_interval": "1m"}
    for one in dashboard["templating"]["list"]:
        if one["type"] != "query":
            continue
        family, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", one["query"]["query"]).groups()
        known = {labels.get(label) for labels, _ in asked.series(family, False)} - {None}
        if not known:
            raise ValueError(f"${one['name']} has no value")
        first = one["allValue"] if one["includeAll"] else sorted(known)[0]
        values[one["name"]] = CHOSEN.get(one["name"], first)
    return values


def filled(query, values):
    for name in sorted(values, key=len, reverse=True):
        query = query.replace("$" + name, values[name])
    return query


def panels(asked):
    """What each query of each panel shows by now."""
    shown = {}
    for path in sorted((REPOSITORY / "dashboards").glob("*.json")):
        dashboard = json.loads(path.read_text())
        values = variables(dashboard, asked)
        shown[path.stem] = [
            {"title": panel["title"], "targets": [
                {"query": filled(target["expr"], values), "legend": target["legendFormat"],
                 "series": asked.series(filled(target["expr"], values), target["range"])}
                for target in panel["targets"]]}
            for panel in dashboard["panels"] if panel["type"] != "row"]
    return shown


def empty(shown):
    return [f"{name}: {panel['title']}: nothing for {target['query']}"
            for name, all_panels in shown.items() for panel in all_panels
            for target in panel["targets"] if not target["series"]]


def sick_rules(asked):
    """Rules that were not evaluated, or not without an error; and the alerts that fire."""
    groups = asked.api("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    sick = [f"{rule['name']}: {rule['health']} {rule.get('lastError', '')}"
            for rule in rules if rule["health"] != "ok"]
    active = [alert["labels"]["alertname"] for rule in rules for alert in rule.get("alerts", [])
              if alert["state"] == "firing"]
    return sick, sorted(set(active))


def metrics_named(asked):
    """The gateway's metrics that rules and panels name."""
    texts = [path.read_text() for path in (REPOSITORY / "dashboards").rglob("*")
             if path.suffix in (".json", ".yml") and path.name != "tests.yml"]
    named = set(re.findall(r"gpconnect_gateway_\w+", "\n".join(texts)))
    page = get(f"http://{GATEWAY}/metrics")
    there = {re.match(r"\w+", line).group() for line in page.splitlines() if line[:1] not in "#"}
    return sorted(named - there)


def look(asked):
    deadline = time.monotonic() + DEADLINE
    while True:
        wrong, shown, active = [], {}, []
        try:
            shown = panels(asked)
            sick, active = sick_rules(asked)
            wrong = empty(shown) + sick + [f"{name} is no metric" for name in metrics_named(asked)]
            wrong += [f"{name} does not fire" for name in sorted(EXPECTED - set(active))]
        except ValueError as fault:
            wrong = [str(fault)]
        if not wrong or time.monotonic() > deadline:
            return {"panels": shown, "wrong": wrong, "alerts": active}
        time.sleep(0.5)


def main():
    prometheus = start(PORT)
    try:
        asked = Asked(PORT)
        deadline = time.monotonic() + DEADLINE
        while not asked.is_ready():
            if prometheus.poll() is not None or time.monotonic() > deadline:
                sys.exit("prometheus does not start: " + (FOLDER / "prometheus.log").read_text())
            time.sleep(0.1)
        print(json.dumps(look(asked)))
    finally:
        prometheus.terminate()
        prometheus.wait()


main()
