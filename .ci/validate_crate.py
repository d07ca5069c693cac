# /// script
# requires-python = ">=3.11"
# dependencies = ["rocrate==0.16.0", "roc-validator==0.13.0"]
# ///
"""Validate a Workflow Run RO-Crate by its profile: uv run .ci/validate_crate.py CRATE.zip.

uv runs it in a separate environment, because roc-validator requires an older rich than ntkflow.
It works without a network: the contexts of JSON-LD come from the validator's cache, which is filled
from the package rocrate and from the few terms below. Exit status 1 if a requirement is not met.
"""

import json
import sys
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from requests_cache import CachedRequest, CachedResponse, CachedSession
from rocrate_validator import services
from rocrate_validator.models import Severity

# rocrate has the context of RO-Crate 1.3. Of the terms that the crate uses, 1.1 has others for
# these (https://www.researchobject.org/ro-crate/specification/1.1/context.jsonld).
WORKFLOW = "https://bioschemas.org/ComputationalWorkflow"
OF_1_1 = {
    "ComputationalWorkflow": WORKFLOW,
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": f"{WORKFLOW}#input",
    "output": f"{WORKFLOW}#output",
}
# https://github.com/ResearchObject/ro-terms/tree/master/workflow-run
RUN = "https://w3id.org/ro/terms/workflow-run"
JSON_LD = {"Content-Type": "application/ld+json"}


def contexts() -> dict[str, dict[str, object]]:
    """JSON-LD context by address."""
    newest = json.loads(files("rocrate").joinpath("data/ro-crate.jsonld").read_text("utf-8"))
    return {
        "https://w3id.org/ro/crate/1.1/context": {"@context": newest["@context"] | OF_1_1},
        f"{RUN}/context": {"@context": {"sha256": f"{RUN}#sha256"}},
    }


def main(crate: str) -> int:
    """Print the requirements and recommendations that are not met."""
    with TemporaryDirectory() as folder:
        cache = Path(folder) / "contexts"
        session = CachedSession(str(cache), backend="sqlite")
        for address, context in contexts().items():
            content = json.dumps(context).encode()
            request = CachedRequest(method="GET", url=address)
            answer = {"status_code": 200, "url": address, "headers": JSON_LD, "content": content}
            session.cache.save_response(CachedResponse(request=request, **answer))
        settings = services.ValidationSettings(
            rocrate_uri=crate,
            profile_identifier="workflow-run-crate",
            requirement_severity=Severity.RECOMMENDED,
            offline=True,
            cache_path=cache,
        )
        issues = services.validate(settings).get_issues()
    for issue in issues:
        print(f"{issue.severity.name.lower()}: {issue.message} ({issue.violatingEntity})")
    required = [issue for issue in issues if issue.severity >= Severity.REQUIRED]
    print(f"{crate}: {len(required)} requirements not met, {len(issues) - len(required)} advised")
    return int(bool(required))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
