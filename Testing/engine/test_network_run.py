"""Running networks: tiles, weights' files, devices."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import nn

from petkinetics.errors import InputError
from petkinetics.networks.features import fine_voxel_mm
from petkinetics.networks.run import Batches, Runner, on_fine_voxels
from petkinetics.networks.weight_files import device_named, load_into, read_weights, write_weights

CPU = torch.device("cpu")


class Local(nn.Module):
    """A network whose answer needs only the voxels around."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 5, padding=2)

    def forward(self, maps: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return self.conv(maps) + condition.mean(1)[:, None, None, None]


@pytest.mark.parametrize("shape", [(64, 64), (200, 64), (130, 333), (65, 1000)])
def test_tiles_give_what_the_whole_slice_gives(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network, maps, condition = Local(), torch.randn(3, 3, *shape), torch.tensor([1.0, 2.0])
    with torch.no_grad():
        whole = network(maps, condition[None].expand(3, -1))
    found = Runner(network, CPU, tile=96, overlap=32)(maps, condition)
    # a tile's own border is padded with zeros; the ramp lets it count little, and two voxels deep
    error = (found - whole).abs()
    assert float(error.mean()) < 0.02 * float(whole.std())
    assert found.shape == whole.shape


class Full(nn.Module):
    """Memory suffices for one slice at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def forward(self, maps: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        self.asked.append(len(maps))
        if len(maps) > 1:
            raise torch.cuda.OutOfMemoryError("full")
        return maps + condition[:, :1, None, None]


def test_a_batch_that_does_not_fit_is_halved_until_it_does() -> None:
    network = Full()
    runner = Runner(network, CPU)
    maps = torch.randn(4, 1, 8, 8)
    assert torch.equal(runner(maps, torch.zeros(1)), maps)
    assert network.asked == [2, 1, 1, 1, 1]


def test_where_a_single_slice_does_not_fit_the_processor_goes_on() -> None:
    def once(network: nn.Module, device: torch.device, first: int, last: int) -> torch.Tensor:
        if device.type != "cpu":
            raise torch.cuda.OutOfMemoryError("full")
        return network(torch.arange(float(first), float(last)))

    # "meta", a device without memory, stands for the GPU
    batches, done = Batches(nn.Identity(), torch.device("meta")), list[int]()
    assert torch.equal(batches.over(5, 4, once, done.append), torch.arange(5.0))
    assert batches.device == CPU and done == [4, 1]


def test_weights_come_back_with_their_card_and_the_hash_of_their_file(tmp_path: Path) -> None:
    network = Local()
    digest = write_weights(tmp_path, "local", network.state_dict(), {"name": "local", "preset": "none"})
    found = read_weights("local", tmp_path)
    assert found.sha256 == digest == found.record["sha256"] and found.record["preset"] == "none"
    other = load_into(Local(), found)
    step = network.conv.weight.detach().abs().amax(dim=(1, 2, 3), keepdim=True) / 127.0
    assert ((other.conv.weight - network.conv.weight).abs() <= 0.501 * step).all()
    assert torch.equal(other.conv.bias, network.conv.bias.half().float())


def test_kernels_take_a_byte_a_weight_and_files_of_16_bits_are_still_read(tmp_path: Path) -> None:
    tensors = {"kernel": torch.randn(8, 64, 3, 3), "none": torch.zeros(4, 3), "bias": torch.randn(8)}
    write_weights(tmp_path, "small", tensors, {"name": "small"})
    size = (tmp_path / "small.safetensors").stat().st_size
    assert size < 1.2 * tensors["kernel"].numel()
    found = read_weights("small", tmp_path).tensors
    assert set(found) == set(tensors) and torch.equal(found["none"], tensors["none"])
    content = save({name: value.half() for name, value in tensors.items()})
    (tmp_path / "large.safetensors").write_bytes(content)
    (tmp_path / "large.json").write_text(json.dumps({"sha256": hashlib.sha256(content).hexdigest()}))
    assert torch.equal(read_weights("large", tmp_path).tensors["kernel"], tensors["kernel"].half().float())


def test_a_card_of_other_weights_is_refused(tmp_path: Path) -> None:
    write_weights(tmp_path, "local", Local().state_dict(), {"name": "local"})
    card = json.loads((tmp_path / "local.json").read_text())
    (tmp_path / "local.json").write_text(json.dumps({**card, "sha256": "0" * 64}))
    with pytest.raises(InputError, match="other weights"):
        read_weights("local", tmp_path)


def test_a_damaged_file_or_another_network_is_refused(tmp_path: Path) -> None:
    write_weights(tmp_path, "local", {"weight": torch.zeros(3)}, {"name": "local"})
    with pytest.raises(InputError, match="do not fit"):
        load_into(Local(), read_weights("local", tmp_path))
    (tmp_path / "local.safetensors").write_bytes(b"\x00" * 5)
    with pytest.raises(InputError):
        read_weights("local", tmp_path)


def test_missing_weights_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file 'nobody") as caught:
        read_weights("nobody", tmp_path)
    assert "--weights" in (caught.value.hint or "")


def test_cuda_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_named("auto") == CPU
    with pytest.raises(InputError, match="no CUDA device"):
        device_named("cuda")


@pytest.mark.cuda
def test_on_a_gpu_the_answer_is_that_of_the_processor() -> None:
    torch.manual_seed(0)
    network, maps, condition = Local(), torch.randn(5, 3, 90, 70), torch.ones(2)
    on_cpu = Runner(network, CPU)(maps, condition)
    on_gpu = Runner(network, torch.device("cuda"))(maps, condition)
    assert torch.allclose(on_cpu, on_gpu, atol=0.02)


@pytest.mark.cuda
def test_a_gpu_whose_memory_is_full_leaves_the_work_to_the_processor() -> None:
    class Hungry(Local):
        def forward(self, maps: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
            if maps.device.type == "cuda":
                raise torch.cuda.OutOfMemoryError("full")
            return super().forward(maps, condition)

    runner = Runner(Hungry(), torch.device("cuda"))
    assert runner(torch.randn(2, 3, 16, 16), torch.ones(2)).shape == (2, 2, 16, 16)
    assert runner.device.type == "cpu"


@pytest.mark.parametrize(
    ("size", "fine"),
    [(1.0, 1.0), (1.95, 1.95), (2.6, 2.6), (2.7, 2.0), (3.0, 2.0), (4.07, 2.035), (4.4, 2.2), (6.0, 2.0)],
)
def test_coarse_voxels_are_divided_to_about_two_millimetres(size: float, fine: float) -> None:
    assert fine_voxel_mm(size) == pytest.approx(fine)


@pytest.mark.parametrize("size", [1.95, 3.0, 4.4])
def test_on_finer_voxels_a_smooth_image_comes_back_as_it_was(size: float) -> None:
    rows = torch.linspace(0, 3, 40)
    smooth = (torch.sin(rows)[:, None] * torch.cos(rows)[None, :])[None, None]

    class Same(nn.Module):
        def forward(self, maps: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
            return maps

    found = on_fine_voxels(Runner(Same(), CPU), smooth, torch.zeros(1), size)
    assert found.shape == smooth.shape
    inner = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    assert torch.allclose(found[inner], smooth[inner], atol=0.01)
