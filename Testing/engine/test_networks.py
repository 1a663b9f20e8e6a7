"""The network of Liang et al. 2023: its size, its forward model and loss by hand, gradients at every bound."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.kinetics import compartments
from petkinetics.kinetics.patlak import patlak_design
from petkinetics.networks.blocks import DoubleConv, group_norm
from petkinetics.networks.forward_model import TwoTissueModel, exponents, net_influx
from petkinetics.networks.losses import PatlakPlot, paper_loss
from petkinetics.networks.paper_network import DirectNetwork, KineticNetwork
from petkinetics.networks.presets import COMPACT, LIANG2023, UPPER_BOUNDS, preset_named
from petkinetics.simulate.blood import input_function, random_blood

TIMING = FrameTiming.parse("liang2023")
DECAY = np.log(2.0) / 6586.2


@pytest.fixture(scope="module")
def blood() -> InputFunction:
    rng = np.random.default_rng(5)
    return input_function(random_blood(rng, 300.0, 70.0), float(TIMING.end_s[-1]))


def parameters(fv: float, k1: float, k2: float, k3: float, k4: float) -> torch.Tensor:
    """One voxel, (1, 5, 1, 1)."""
    return torch.tensor([fv, k1, k2, k3, k4], dtype=torch.float32).reshape(1, 5, 1, 1)


def linear(blood: InputFunction) -> tuple[FrameTiming, PatlakPlot]:
    """The last 13 frames, 9 to 65 min, and their plot with even weights."""
    frames = TIMING.select(TIMING.window(9.0))
    return frames, PatlakPlot(blood, frames, torch.ones(len(frames)), DECAY)


# ------------------------------------------------------------------------------------------- the network


def test_the_paper_s_network_has_32_million_parameters() -> None:
    network = KineticNetwork(LIANG2023, 22)
    assert sum(p.numel() for p in network.parameters()) == 32_466_639
    assert sum(p.numel() for p in network.features.unet.parameters()) / 1e6 == pytest.approx(32.43, abs=0.01)


@pytest.mark.parametrize("shape", [(64, 64), (50, 37)], ids=["even", "odd"])
def test_every_early_frame_goes_through_one_u_net_and_rates_stay_within_bounds(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = KineticNetwork(COMPACT, 22)
    found = network(torch.rand(2, 22, *shape) * 10)
    assert found.shape == (2, 5, *shape)
    for rate, upper in zip(found.unbind(1), UPPER_BOUNDS, strict=True):
        assert float(rate.detach().min()) >= 0 and float(rate.detach().max()) <= upper
    direct = DirectNetwork(COMPACT, 22, 6)
    late, ki = direct(torch.rand(1, 22, *shape))
    assert late.shape == (1, 6, *shape) and ki.shape == (1, *shape)


def test_another_number_of_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="22 frames, not 20"):
        KineticNetwork(COMPACT, 22)(torch.rand(1, 20, 16, 16))


def test_presets_go_by_name() -> None:
    assert preset_named("compact") is COMPACT
    with pytest.raises(InputError, match=r"no preset 'large'; there is liang2023, compact"):
        preset_named("large")


@pytest.mark.parametrize(("channels", "groups"), [(8, 1), (16, 1), (32, 2), (64, 4), (1024, 64)])
def test_a_group_of_the_normalisation_has_16_channels(channels: int, groups: int) -> None:
    assert group_norm(channels).num_groups == groups


def test_a_double_convolution_adds_what_came_in() -> None:
    block = DoubleConv(4, 8)
    with torch.no_grad():
        block.second_norm.weight.zero_()
        block.second_norm.bias.zero_()
    x = torch.randn(1, 4, 6, 6)
    assert torch.allclose(block(x), torch.relu(block.skip(x)))
    assert isinstance(DoubleConv(8, 8).skip, torch.nn.Identity)


# -------------------------------------------------------------------------------------- forward model


TISSUES = [
    (0.05, 0.102, 0.130, 0.062, 0.0068),
    (0.15, 0.9, 0.95, 0.0042, 0.0),
    (0.2, 1.15, 1.55, 0.0062, 0.0),
    (0.0, 0.01, 0.1, 0.5, 0.05),
    (1.0, 2.0, 3.0, 0.5, 0.05),
    (0.1, 0.2, 0.0, 0.1, 0.0),
]


@pytest.mark.parametrize("tissue", TISSUES)
def test_frames_are_those_of_the_exact_model(blood: InputFunction, tissue: tuple[float, ...]) -> None:
    model = TwoTissueModel(blood, TIMING, DECAY)
    found = model(parameters(*tissue))[0, :, 0, 0].numpy()
    fv, k1, k2, k3, k4 = tissue
    exact = compartments.two_tissue_frames(blood, TIMING, k1, k2, k3, k4, fv, DECAY)
    np.testing.assert_allclose(found, exact, atol=1e-3 * exact.max())


def test_the_exponents_are_the_roots_of_their_equation() -> None:
    k2, k3, k4 = (torch.tensor(v, dtype=torch.float64) for v in (0.13, 0.062, 0.0068))
    alpha1, alpha2, root = exponents(k2, k3, k4)
    # alpha^2 - (k2 + k3 + k4) alpha + k2 k4 = 0, by hand: 0.0994 -+ 0.0948491
    assert float(alpha1) == pytest.approx(0.0045509, abs=1e-6)
    assert float(alpha2) == pytest.approx(0.1942491, abs=1e-6)
    assert float(root) == pytest.approx(float(alpha2 - alpha1), abs=1e-9)


def test_ki_of_the_rates() -> None:
    # 0.95 * 0.102 * 0.062 / 0.192
    assert float(net_influx(parameters(0.05, 0.102, 0.13, 0.062, 0.0))) == pytest.approx(0.0312906, rel=1e-5)


@pytest.mark.parametrize(
    "tissue",
    [
        (0.0, 0.1, 0.1, 0.05, 0.0),
        (1.0, 0.1, 0.1, 0.05, 0.0),
        (0.1, 0.0, 0.1, 0.05, 0.0),
        (0.1, 0.1, 0.0, 0.0, 0.0),
        (0.1, 0.1, 0.05, 0.0, 0.05),
        (0.1, 2.0, 3.0, 0.5, 0.05),
        (0.0, 0.0, 0.0, 0.0, 0.0),
    ],
    ids=["fv 0", "fv 1", "K1 0", "no way out", "both exponents meet", "upper bounds", "nothing"],
)
def test_gradients_are_finite_at_every_bound(blood: InputFunction, tissue: tuple[float, ...]) -> None:
    late, plot = linear(blood)
    model = TwoTissueModel(blood, late, DECAY)
    rates = parameters(*tissue).requires_grad_()
    frames = model(rates)
    loss = paper_loss(frames, torch.ones_like(frames), frames, torch.full((1, 1, 1), 0.01), plot)
    loss.backward()
    assert rates.grad is not None and bool(torch.isfinite(rates.grad).all())


def test_the_sigmoids_pass_gradients_to_every_weight_with_no_plasma_in_the_first_frame(blood: InputFunction) -> None:
    assert blood.plasma_frame_mean(TIMING, DECAY)[0] == pytest.approx(0.0, abs=1e-3)
    late, plot = linear(blood)
    network, model = KineticNetwork(COMPACT, 22), TwoTissueModel(blood, late, DECAY)
    suv = torch.rand(1, 22, 16, 16)
    suv[:, 0] = 0
    frames = model(network(suv))
    paper_loss(frames, frames.detach() + 0.1, frames, torch.full((1, 16, 16), 0.01), plot).backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None and bool(torch.isfinite(weight.grad).all()), name


# ------------------------------------------------------------------------------------------- the loss


def test_a_plot_without_plasma_is_refused(blood: InputFunction) -> None:
    before = FrameTiming([-60.0, 0.0, 60.0], [60.0, 60.0, 60.0])
    with pytest.raises(ValueError, match="plasma activity above zero"):
        PatlakPlot(blood, before, torch.ones(3))


def test_the_loss_is_what_one_computes_by_hand(blood: InputFunction) -> None:
    frames, plot = linear(blood)
    design = patlak_design(blood, frames, DECAY)
    true_ki, offset = 0.02, 0.3
    # On the line with slope 0.02, but for one frame that lies 0.05 mL/mL above it.
    y = true_ki * design[:, 0] / design[:, 1] + offset
    y[4] += 0.05
    tissue = torch.from_numpy((y * design[:, 1]).astype(np.float32)).reshape(1, -1, 1, 1)
    late, true_late = torch.tensor([1.0, 5.0]).reshape(1, 2, 1, 1), torch.tensor([1.5, 2.0]).reshape(1, 2, 1, 1)
    # Huber with delta 1: 0.5 * 0.5^2 = 0.125 and 1 * (3 - 0.5) = 2.5; mean 1.3125
    suv_term = 0.5 * (0.125 + 2.5)
    # Two of the twelve differences are off, by +0.05 and -0.05: 0.5 * 0.05^2 each
    patlak_term = 2 * 0.5 * 0.05**2 / 12
    found = paper_loss(late, true_late, tissue, torch.full((1, 1, 1), true_ki), plot, weight=2.0)
    assert float(found) == pytest.approx(suv_term + 2.0 * patlak_term, rel=1e-4)
    alone = paper_loss(late, true_late, tissue, torch.full((1, 1, 1), true_ki), plot, weight=0.0)
    assert float(alone) == pytest.approx(suv_term, rel=1e-6)


def test_the_fit_gives_slope_and_intercept_of_a_line(blood: InputFunction) -> None:
    frames, plot = linear(blood)
    design = patlak_design(blood, frames, DECAY)
    tissue = torch.from_numpy((design @ np.array([0.013, 0.42])).astype(np.float32)).reshape(1, -1, 1, 1)
    ki, v0 = plot.fit(tissue)
    assert float(ki) == pytest.approx(0.013, rel=1e-4) and float(v0) == pytest.approx(0.42, rel=1e-3)


@pytest.mark.slow
def test_the_network_learns_one_crop_by_heart(blood: InputFunction) -> None:
    """Adam brings the paper's loss of a 64 x 64 crop down by nine tenths."""
    torch.manual_seed(1)
    rng = np.random.default_rng(3)
    rates = np.stack([rng.uniform(0.02, 0.5 * upper, (8, 8)) for upper in UPPER_BOUNDS])
    rates[4] = 0.0
    truth = torch.from_numpy(np.kron(rates, np.ones((1, 8, 8))).astype(np.float32))[None]
    early, late_window = TIMING.until(35.0), TIMING.window(35.0)
    suv = 70.0 / 300.0
    everything = TwoTissueModel(blood, TIMING, DECAY)(truth) * suv
    frames, plot = linear(blood)
    late_model = TwoTissueModel(blood, TIMING.select(late_window), DECAY)
    linear_model = TwoTissueModel(blood, frames, DECAY)
    true_ki = plot.fit(everything[:, TIMING.window(9.0)] / suv)[0]
    network = KineticNetwork(COMPACT, len(early))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(150):
        found = network(everything[:, early])
        late = late_model(found) * suv
        loss = paper_loss(late, everything[:, late_window], linear_model(found), true_ki, plot)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
        if losses[-1] < 0.1 * losses[0]:
            break
    assert losses[-1] < 0.1 * losses[0]
