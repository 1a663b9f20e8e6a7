"""How long `import petkinetics` takes in a fresh interpreter, and whether anything asks for torch.

Prints one JSON object: seconds for the package, seconds for all that an estimate needs on top of it,
and whether torch was asked for. A finder in front of all others notes every attempt, so that the
answer holds whether torch is installed or not.
"""

import json
import sys
import time


class _Watch:
    asked = False

    def find_spec(self, name: str, *_: object) -> None:
        """Note the name; find nothing."""
        if name.partition(".")[0] == "torch":
            _Watch.asked = True


sys.meta_path.insert(0, _Watch())  # type: ignore[arg-type]
began = time.perf_counter()
import petkinetics  # noqa: E402

package = time.perf_counter()
import petkinetics.cli  # noqa: E402
import petkinetics.estimate  # noqa: E402, F401

estimate = time.perf_counter()
found = {"package_s": package - began, "estimate_s": estimate - package, "asks_for_torch": _Watch.asked}
print(json.dumps(found))
