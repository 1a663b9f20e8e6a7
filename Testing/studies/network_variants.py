"""Do further inputs, or steps that make the answer explain the frames, help the kinetic network? Trained, not guessed.

    python Testing/studies/network_variants.py POOL VALIDATION OUT.tsv [--steps N] [--weights DIR]

The network that comes along is trained further, some steps, in four ways side by side on the same scans:

- as it is;
- consistency: a closed-form step after the head. What the measured windows, averaged over 5x5 voxels, show beyond
  the model's is explained by the amplitudes a, b and fv: ridge regression, its weights learned;
- two-tissue: the basis function fit of each voxel's windows (a, b, fv for the best of twelve exponents, its SD and
  residual), as they are and averaged over 5x5 voxels, as further inputs;
- regularised: Patlak's Ki and V0 under HYPR, whose composite is the mean late window, and their Gaussians, likewise.

What is new begins without effect. POOL and VALIDATION: folders of `petkinetics train` ("patients", "validation").
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from petkinetics.networks.default_network import FAST, SLICES, DefaultNetwork, _looked_up, linear_response
from petkinetics.networks.features import FEATURES, LINEAR, WINDOWS
from petkinetics.networks.model_rows import KNEE, STEP
from petkinetics.networks.run import half_type, is_mixed
from petkinetics.networks.trunk import Trunk
from petkinetics.networks.weight_files import load_into, read_weights
from petkinetics.training import kinetic_network as recipe
from petkinetics.training.examples import Example, ScanStream
from petkinetics.training.kinetic_network import validation_seeds
from petkinetics.training.pool import PatientPool
from petkinetics.training.scan_settings import ScanRanges
from petkinetics.training.validation import ScanValidation
from petkinetics.write.tables import write_table

_MIDDLE = FEATURES * (SLICES // 2)
_AROUND = 5
_EXPONENTS = 12


class Variant(nn.Module):
    """The network with something added; asked for the response of an example."""

    extra = 0

    def __init__(self, weights: Path | None) -> None:
        super().__init__()
        found = read_weights("kinetic-network", weights)
        self.network = load_into(DefaultNetwork.of_card(found.card), found)
        if self.extra:
            sizes = self.network.sizes
            wider = Trunk(SLICES * FEATURES + self.extra, 5, sizes["widths"], sizes["blocks"], 18)
            state = self.network.trunk.state_dict()
            first = torch.zeros_like(wider.first.weight)
            first[:, : state["first.weight"].shape[1]] = state["first.weight"]
            wider.load_state_dict(state | {"first.weight": first})
            self.network.trunk = wider

    def forward(self, example: Example) -> Tensor:
        """The head's maps, (slices, 5, rows, columns)."""
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            features = torch.cat((example.features, self.inputs(example).clamp(-5, 5)), dim=1)
        return self.after(self.network(features, example.condition).float(), example)

    def inputs(self, example: Example) -> Tensor:
        """Further maps, (slices, extra, rows, columns): none."""
        return example.features[:, :0]

    def after(self, response: Tensor, example: Example) -> Tensor:
        """The response after a last step."""
        del example
        return response


def averaged(maps: Tensor) -> Tensor:
    """Means over 5x5 voxels."""
    return avg_pool2d(maps, _AROUND, 1, _AROUND // 2, count_include_pad=False)


class Consistency(Variant):
    """Amplitudes moved by what the windows around a voxel show beyond the model."""

    def __init__(self, weights: Path | None) -> None:
        super().__init__(weights)
        self.window = nn.Parameter(torch.zeros(WINDOWS))
        # in units of a, b and fv; large: nothing moves
        self.ridge = nn.Parameter(torch.full((3,), 4.0))
        self.register_buffer("unit", torch.tensor([0.005, 0.05, 0.05]))

    def after(self, response: Tensor, example: Example) -> Tensor:
        """See :class:`Variant`."""
        with torch.autocast("cpu", enabled=False):
            count = len(response)
            table, blood = (t.expand(count, *t.shape[1:]).contiguous() for t in (example.table, example.blood))
            model = linear_response(response, table, blood, KNEE, STEP)[:, :WINDOWS]
            missing = averaged(example.features[:, _MIDDLE : _MIDDLE + WINDOWS] - model).movedim(1, -1)
            slow, fast = (_looked_up(response[:, k], table[..., :WINDOWS].contiguous(), KNEE, STEP) for k in (2, 3))
            of_blood = blood[:, None, None, :WINDOWS].expand_as(slow)
            design = torch.stack((slow, fast, of_blood), dim=-1) * self.unit
            # windows are as noisy as the voxel's Ki: their SD in units of 0.001 mL/min/mL is a feature
            noise = 10.0 ** (-2.0 * example.features[:, _MIDDLE + LINEAR])
            weighted = design * (self.window.exp() * noise[..., None].clamp(max=100.0))[..., None]
            normal = design.transpose(-1, -2) @ weighted + torch.diag(self.ridge.exp())
            moved = torch.linalg.solve(normal, (weighted * missing[..., None]).sum(-2)) * self.unit
            a, b, fv = (response[:, k] + moved[..., n] for n, k in enumerate((0, 1, 4)))
            return torch.stack((a.clamp(min=0.0), b.clamp(min=0.0), response[:, 2], response[:, 3], fv), dim=1)


class TwoTissue(Variant):
    """The voxels' own fit as further inputs."""

    extra = 12

    def inputs(self, example: Example) -> Tensor:
        """See :class:`Variant`."""
        windows = example.features[:, _MIDDLE : _MIDDLE + WINDOWS]
        noise = 10.0 ** example.features[:, _MIDDLE + LINEAR]
        return torch.cat([self._fit(w, noise, example) for w in (windows, averaged(windows))], dim=1)

    def _fit(self, windows: Tensor, noise: Tensor, example: Example) -> Tensor:
        table = example.table[0, :, :WINDOWS]
        grid = torch.exp(torch.linspace(math.log(FAST[0]), math.log(FAST[1]), _EXPONENTS))
        trapped = table[0]
        flat = windows.movedim(1, 0).reshape(WINDOWS, -1)
        best: Tensor | None = None
        for alpha in grid:
            at = float(torch.log1p(alpha / KNEE) / STEP)
            low = min(int(at), len(table) - 2)
            fast = table[low] + (at - low) * (table[low + 1] - table[low])
            design = torch.stack((trapped * 0.01, fast * 0.2, example.blood[0, :WINDOWS]), dim=1)
            normal = design.T @ design + 1e-4 * torch.eye(3)
            fit = torch.linalg.solve(normal, design.T @ flat)
            rest = (flat - design @ fit).square().mean(0, keepdim=True)
            sd = torch.linalg.inv(normal)[0, 0].sqrt().expand_as(rest)
            found = torch.cat((fit, alpha.log().expand_as(rest), sd.log(), rest.clamp(min=1e-8).log() / 5))
            best = found if best is None else torch.where(rest < (5 * best[5:6]).exp(), found, best)
        assert best is not None
        maps = best.reshape(6, *windows.movedim(1, 0).shape[1:]).movedim(0, 1)
        maps[:, 4] += noise.clamp(min=1e-3).log()
        return maps


class Regularised(Variant):
    """HYPR and Gaussian Patlak as further inputs."""

    extra = 4

    def inputs(self, example: Example) -> Tensor:
        """See :class:`Variant`."""
        patlak = example.features[:, _MIDDLE + LINEAR - 2 : _MIDDLE + LINEAR]
        composite = example.features[:, _MIDDLE + WINDOWS - 4 : _MIDDLE + WINDOWS].mean(1, keepdim=True)
        smooth, low = averaged(averaged(patlak)), averaged(averaged(composite))
        return torch.cat((smooth * (composite / low.clamp(min=0.05)).clamp(0.0, 4.0), smooth), dim=1)


VARIANTS: dict[str, type[Variant]] = {
    "as it is": Variant,
    "consistency": Consistency,
    "two-tissue": TwoTissue,
    "regularised": Regularised,
}


def loss(variant: nn.Module, example: Example) -> dict[str, Tensor]:
    """The recipe's loss of a variant."""
    return dict(recipe.loss(_As(variant, example), example))


class _As(nn.Module):
    """A variant in the place of the network in the recipe."""

    def __init__(self, variant: nn.Module, example: Example) -> None:
        super().__init__()
        self.variant, self.example = variant, example

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """The variant's answer for its example."""
        del features, condition
        found: Tensor = self.variant(self.example)
        return found


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", type=Path)
    parser.add_argument("validation", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--check", type=int, default=150)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--weights", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    device = torch.device("cpu")
    pool = PatientPool(given.pool, range(100_000))
    fixed = ScanRanges(
        own_share=1.0, dose=(1.0, 1.0), crop=4096, flips=False, framing="liang2023", noise_mm=5.5, own_blood=True
    )
    half = {"dtype": half_type(device), "enabled": is_mixed(device)}

    def infer(network: nn.Module, example: Example) -> Tensor:
        with torch.autocast("cpu", **half):  # type: ignore[arg-type]
            return recipe.predict(_As(network, example), example)[:, -2:]

    validate = ScanValidation(
        PatientPool(given.validation, validation_seeds()).ready(), fixed, pool.folder / "noise", infer, device
    )
    variants = {name: kind(given.weights) for name, kind in VARIANTS.items()}
    means = {
        name: torch.optim.swa_utils.AveragedModel(v, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99))
        for name, v in variants.items()
    }
    optimisers = {
        name: torch.optim.Adam([p for p in v.parameters() if p.requires_grad], lr=given.rate)
        for name, v in variants.items()
    }
    stream = torch.utils.data.DataLoader(ScanStream(pool, ScanRanges(), 4, 2, seed=5), batch_size=None, num_workers=1)
    rows: list[dict[str, object]] = []
    for step, batch in enumerate(stream):
        if step % given.check == 0:
            for name, mean in means.items():
                mean.eval()
                with torch.no_grad():
                    found = validate(mean.module)
                rows.append({"variant": name, "step": step, **found})
                print(name, step, {k: round(v, 4) for k, v in found.items()}, flush=True)
            write_table(given.out, rows)
        if step == given.steps:
            break
        rate = given.rate * min(1.0, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / given.steps))
        for name, variant in variants.items():
            optimiser = optimisers[name]
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.zero_grad(set_to_none=True)
            for example in batch:
                with torch.autocast("cpu", **half):  # type: ignore[arg-type]
                    terms = loss(variant, example)
                (terms["loss"] / len(batch)).backward()
            norm = nn.utils.clip_grad_norm_(variant.parameters(), 20.0)
            if np.isfinite(float(norm)):
                optimiser.step()
            means[name].update_parameters(variant)


if __name__ == "__main__":
    main()
