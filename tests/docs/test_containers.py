"""The container examples are sound as far as it can be told without a registry and a cluster: syntax, schemas, and what they name."""

import copy
import json
import re
from io import BytesIO
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "containers"
KUBERNETES = "1.31"
INSTRUCTIONS = {
    "FROM", "COPY", "RUN", "ENV", "WORKDIR", "USER", "EXPOSE", "CMD", "ENTRYPOINT", "ARG", "LABEL", "VOLUME", "ADD", "HEALTHCHECK",
}  # fmt: skip
MANIFESTS = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")))


def complaints(text):
    """What is wrong with a Dockerfile."""
    parsed = DockerfileParser(fileobj=BytesIO(text.encode())).structure
    steps = [step for step in parsed if step["instruction"] != "COMMENT"]
    found = [f"unknown instruction {step['instruction']}" for step in steps if step["instruction"] not in INSTRUCTIONS]
    if not steps or steps[0]["instruction"] != "FROM":
        found.append("does not begin with FROM")
    stages = {step["value"].rpartition(" AS ")[2] for step in steps if step["instruction"] == "FROM" and " AS " in step["value"]}
    for step in steps:
        if step["instruction"] == "COPY":
            *sources, _ = step["value"].split()
            stage = next((one.removeprefix("--from=") for one in sources if one.startswith("--from=")), None)
            if stage is not None and stage not in stages:
                found.append(f"no stage is called {stage}")
            missing = [one for one in sources if stage is None and not one.startswith("--") and not (ROOT / one).exists()]
            found += [f"{one} is not there" for one in missing]
        elif step["instruction"] in ("CMD", "ENTRYPOINT"):
            try:
                json.loads(step["value"])
            except ValueError:
                found.append(f"{step['instruction']} is no JSON list")
    return found


DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")


def test_the_dockerfile_is_sound():
    assert complaints(DOCKERFILE) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("COPY scenarios", "COPPY scenarios"), "unknown instruction COPPY"),
        (("COPY scenarios", "COPY scenarioz"), "scenarioz is not there"),
        (("--from=build", "--from=built"), "no stage is called built"),
        (('"--help"]', '"--help"'), "CMD is no JSON list"),
    ],
)
def test_a_dockerfile_that_is_not_is_found_out(change, said):
    assert said in complaints(DOCKERFILE.replace(*change))


def named(kind, name):
    return next((one for one in MANIFESTS if (one["kind"], one["metadata"]["name"]) == (kind, name)), None)


def pods():
    return [(one, one["spec"]["template"]) for one in MANIFESTS if one["kind"] in ("Deployment", "Job")]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_a_manifest_fits_the_schema_of_kubernetes(manifest):
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_a_manifest_that_does_not_is_found_out():
    wrong = copy.deepcopy(named("Deployment", "locust-worker"))
    wrong["spec"]["replica"] = wrong["spec"].pop("replicas")
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


def test_what_the_manifests_name_is_there():
    for one in MANIFESTS:
        if one["kind"] == "Service":
            pod = next(pod for _, pod in pods() if pod["metadata"]["labels"] == one["spec"]["selector"])
            ports = {port["name"]: port["containerPort"] for box in pod["spec"]["containers"] for port in box.get("ports", ())}
            assert {port["targetPort"]: port["port"] for port in one["spec"]["ports"]} == ports
    for owner, pod in pods():
        if owner["kind"] == "Deployment":
            assert owner["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
        volumes = {volume["name"] for volume in pod["spec"].get("volumes", ())}
        for box in [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]:
            assert {mount["name"] for mount in box.get("volumeMounts", ())} <= volumes
            for variable in box.get("env", ()):
                secret = variable.get("valueFrom", {}).get("secretKeyRef")
                assert secret is None or secret["key"] in named("Secret", secret["name"])["stringData"]
        for volume in pod["spec"].get("volumes", ()):
            claim = volume.get("persistentVolumeClaim")
            assert claim is None or named("PersistentVolumeClaim", claim["claimName"])


def test_the_variables_are_those_that_the_agent_reads():
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "jobharness").rglob("*.py"))
    known = set(re.findall(r"JOBHARNESS_[A-Z_]+", source))
    used = {one["name"] for _, pod in pods() for box in pod["spec"]["containers"] for one in box.get("env", ())}
    assert {name for name in used if name.startswith("JOBHARNESS_")} <= known
    assert (ROOT / "jobharness" / "agent" / "path" / "sitecustomize.py").exists()
