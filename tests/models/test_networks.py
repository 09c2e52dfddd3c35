"""Every classifier in the list: the form of its answer, the exactness of its shares, and its weights."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from aiforensics_models.networks import CLASSIFIERS, TorchvisionBackbone, build_classifier, build_detector  # noqa: E402
from aiforensics_models.networks.classifier import Classifier, DenseHead  # noqa: E402
from aiforensics_models.networks.tracenet import correlations  # noqa: E402
from aiforensics_models.weights import WeightsError, read_state, start_backbone, start_from  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_answer_has_the_form_of_every_bundle(name):
    network = build_classifier(name, 32).eval()
    with torch.inference_mode():
        logits, embedding, activation = network(torch.rand(2, 3, 32, 32) * 255)
        alone = network.logit(torch.zeros(1, 3, 32, 32))
    assert logits.shape == (2, 1)
    assert embedding.shape[0] == activation.shape[0] == 2
    assert embedding.ndim == 2
    assert activation.ndim == 3
    assert torch.isfinite(logits).all() and torch.isfinite(activation).all()
    assert alone.shape == (1,)


@pytest.mark.parametrize("name", ["cnn", "resnet", "cbam-resnet", "ela-cnn", "scratch-cnn-numpy"])
def test_shares_of_places_are_gradient_times_value(name):
    network = build_classifier(name, 32).eval()
    pixels = torch.rand(2, 3, 32, 32) * 255
    maps = network.body(pixels).detach().requires_grad_(True)
    read = maps.flatten(1) if network.flatten else maps.flatten(2).mean(dim=2)
    (slope,) = torch.autograd.grad(network.head(read)[0].sum(), maps)
    expected = (slope * maps).sum(dim=1)
    found = network(pixels)[2]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_shares_pass_through_batch_norm_and_hidden_layers():
    head = DenseHead(6, (5, 4), norm=True, dropout=0.5)
    head.train()
    for _ in range(5):
        head(torch.randn(16, 6) * 3 + 1)  # batch statistics that are not 0 and 1
    head.eval()
    x = torch.randn(3, 6, requires_grad=True)
    logit, _, slope = head(x)
    (expected,) = torch.autograd.grad(logit.sum(), x)
    torch.testing.assert_close(slope, expected)


def test_frozen_parts_do_not_change_in_training():
    network = build_classifier("resnet18-finetuned", 32)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimiser = torch.optim.SGD([w for w in network.parameters() if w.requires_grad], lr=0.1)
    network.train()
    network.logit(torch.rand(4, 3, 32, 32) * 255).square().sum().backward()
    optimiser.step()
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert all(name.startswith(("body.layer4", "head")) for name in changed)
    frozen = build_classifier("resnet18-frozen", 32)
    assert {name.split(".")[0] for name, w in frozen.named_parameters() if w.requires_grad} == {"head"}


def test_the_side_must_suit_the_network():
    with pytest.raises(ValueError, match="multiple of 32"):
        build_classifier("cnn", 40)
    with pytest.raises(ValueError, match="32 px"):
        build_classifier("scratch-cnn-numpy", 64)
    with pytest.raises(ValueError, match="there is no network 'vgg'"):
        build_classifier("vgg", 32)


class TestWeights:
    """`--weights FILE`, with a small state dict."""

    @staticmethod
    def small(seed):
        torch.manual_seed(seed)
        body = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
        return Classifier(body, DenseHead(4))

    def test_a_body_from_a_torch_file(self, tmp_path):
        other, mine = self.small(1), self.small(2)
        head = mine.head.last.weight.clone()
        state = {**other.body.state_dict(), "fc.weight": torch.zeros(10, 4)}
        torch.save({"state_dict": state}, tmp_path / "w.pth")
        start_from(mine, "small", str(tmp_path / "w.pth"))
        assert torch.equal(mine.body[0].weight, other.body[0].weight)
        assert torch.equal(mine.head.last.weight, head)

    def test_a_whole_classifier_from_safetensors(self, tmp_path):
        from safetensors.torch import save_file

        other, mine = self.small(1), self.small(2)
        save_file(other.state_dict(), tmp_path / "w.safetensors")
        start_from(mine, "small", str(tmp_path / "w.safetensors"))
        for name, tensor in other.state_dict().items():
            assert torch.equal(mine.state_dict()[name], tensor)

    def test_weights_that_do_not_fit_are_named(self, tmp_path):
        torch.save({"0.weight": torch.zeros(4, 3, 3, 3)}, tmp_path / "w.pth")
        with pytest.raises(WeightsError, match=r"lacks 0\.bias"):
            start_from(self.small(0), "small", str(tmp_path / "w.pth"))
        state = self.small(0).body.state_dict() | {"0.bias": torch.zeros(7)}
        torch.save(state, tmp_path / "w.pth")
        with pytest.raises(WeightsError, match=r"another shape of 0\.bias"):
            start_from(self.small(0), "small", str(tmp_path / "w.pth"))

    def test_code_in_a_file_is_not_run(self, tmp_path):
        import pickle

        class Bomb:
            def __reduce__(self):
                return (open, (str(tmp_path / "ran"), "w"))

        (tmp_path / "w.pth").write_bytes(pickle.dumps({"x": Bomb()}))
        with pytest.raises(WeightsError, match="no weights that can be read safely"):
            read_state(tmp_path / "w.pth")
        assert not (tmp_path / "ran").exists()

    def test_imagenet_without_a_network_is_one_line(self, monkeypatch):
        from urllib.error import URLError

        def offline(*_args, **_kwargs):
            raise URLError("no route to host")

        monkeypatch.setattr("torch.hub.load_state_dict_from_url", offline)
        monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
        with pytest.raises(WeightsError, match="could not be downloaded") as caught:
            start_from(build_classifier("resnet18-frozen", 32), "resnet18-frozen", "imagenet")
        assert "\n" not in str(caught.value)
        with pytest.raises(WeightsError, match="no ImageNet weights for cnn"):
            start_from(build_classifier("cnn", 32), "cnn", "imagenet")

    def test_official_weights_are_hash_checked_and_loaded(self, monkeypatch):
        from torchvision.models import resnet18

        torch.manual_seed(3)
        official = resnet18(weights=None).state_dict()
        asked = {}

        def download(url, **options):
            asked.update(options, url=url)
            return official

        monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
        network = build_classifier("resnet18-frozen", 32)
        start_from(network, "resnet18-frozen", "imagenet")
        assert asked["check_hash"] is True
        assert asked["weights_only"] is True
        assert torch.equal(network.body.layer1[0].conv1.weight, official["layer1.0.conv1.weight"])


class TestTextures:
    """`tracenet-gram`: correlations of channels in front of the statistics of `tracenet`."""

    def test_they_are_correlations_over_space(self):
        maps = torch.randn(2, 5, 12, 9) * torch.tensor([1.0, 5.0, 0.2, 3.0, 1.0]).view(1, 5, 1, 1) + 4.0
        maps[:, 1] -= 2 * maps[:, 0]
        found = correlations(maps)
        for one, row in zip(maps, found, strict=True):
            expected = np.corrcoef(one.flatten(1).numpy())[np.triu_indices(5, 1)]
            np.testing.assert_allclose(row.numpy(), expected, atol=1e-3)

    def test_flat_channels_have_none(self):
        assert torch.equal(correlations(torch.full((1, 3, 8, 8), 2.0)), torch.zeros(1, 3))

    def test_a_grown_detector_says_what_it_said(self):
        small, grown = build_detector("tracenet").eval(), build_detector("tracenet-gram").eval()
        small.set_reference(torch.randn(20, small.backbone.dimension))
        new = grown.load_grown(small.state_dict())
        assert new == grown.backbone.dimension - small.backbone.dimension == (16 * 15 + 24 * 23 + 32 * 31) // 2
        pixels = 255 * torch.rand(2, 3, 96, 80)
        with torch.inference_mode():
            (logits, embedding, activation), (more, longer, same) = small(pixels), grown(pixels)
        torch.testing.assert_close(more, logits)
        torch.testing.assert_close(longer[:, new:], embedding)
        torch.testing.assert_close(same, activation)

    def test_only_new_numbers_get_a_reference(self):
        small, grown = build_detector("tracenet"), build_detector("tracenet-gram")
        small.set_reference(3 * torch.randn(20, small.backbone.dimension) + 1)
        new = grown.load_grown(small.state_dict())
        grown.set_reference(5 * torch.randn(50, grown.backbone.dimension) + 2, new)
        assert torch.equal(grown.scale[new:], small.scale)
        assert torch.equal(grown.centre[new:], small.centre)
        assert (grown.scale[:new] > 2).all()

    def test_what_has_more_or_other_numbers_is_refused(self):
        with pytest.raises(RuntimeError):
            build_detector("tracenet").load_grown(build_detector("tracenet-gram").state_dict())
        with pytest.raises(RuntimeError):
            build_detector("tracenet-gram").load_grown(build_detector("shufflenet_v2_x0_5").state_dict())


class TestTorchvisionBackbones:
    """Networks of torchvision's as embedding networks, with random weights and a small state dict of them."""

    @pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_1"])
    def test_the_embedding_is_the_statistics_of_every_resolution(self, name):
        backbone = TorchvisionBackbone(name).eval()
        embedding, last = backbone(255 * torch.rand(2, 3, 64, 80))
        assert embedding.shape == (2, backbone.dimension)
        assert last.shape[:2] == (2, backbone.tap_channels[-1])
        assert torch.allclose(embedding[:, -2 * last.shape[1] : -last.shape[1]], last.mean(dim=(2, 3)), atol=1e-5)

    def test_the_first_taps_can_be_held(self):
        detector = build_detector("mobilenet_v3_small")
        detector.hold(2)
        detector.train()
        first, *_, last = detector.backbone.model.features
        assert not any(weight.requires_grad for weight in first.parameters())
        assert not first.training
        assert all(weight.requires_grad for weight in last.parameters())

    def test_weights_under_torchvisions_names(self, tmp_path, monkeypatch):
        from torchvision.models import mobilenet_v3_small

        torch.manual_seed(4)
        official = mobilenet_v3_small(weights=None).state_dict()
        monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda _url, **_options: official)
        torch.save(official, tmp_path / "w.pth")
        for weights in ("imagenet", str(tmp_path / "w.pth")):
            backbone = TorchvisionBackbone("mobilenet_v3_small")
            start_backbone(backbone, "mobilenet_v3_small", weights)
            assert torch.equal(backbone.model.features[0][0].weight, official["features.0.0.weight"])

    def test_weights_under_its_own_names(self, tmp_path):
        from safetensors.torch import save_file

        for name in ("tracenet", "shufflenet_v2_x0_5"):
            other, mine = build_detector(name).backbone, build_detector(name).backbone
            save_file(other.state_dict(), tmp_path / "w.safetensors")
            start_backbone(mine, name, str(tmp_path / "w.safetensors"))
            for key, tensor in other.state_dict().items():
                assert torch.equal(mine.state_dict()[key], tensor)

    def test_tracenet_has_no_imagenet_weights(self):
        with pytest.raises(WeightsError, match="no ImageNet weights for tracenet"):
            start_backbone(build_detector("tracenet").backbone, "tracenet", "imagenet")

    @pytest.mark.parametrize(("name", "words"), [("nope", "has no network 'nope'"), ("vit_b_16", "no sequence of")])
    def test_what_is_no_backbone_is_one_line(self, name, words):
        with pytest.raises(ValueError, match=f"{words}.*choose"):
            build_detector(name)


def test_numpy_gradients_match_autograd():
    from aiforensics_models.networks.scratch_numpy import ScratchCnn, sigmoid
    from aiforensics_models.networks.scratch_twin import build_scratch_twin

    rng = np.random.default_rng(0)
    network = ScratchCnn(filters=8, seed=1)
    network.kernel_bias[:] = rng.normal(0, 0.1, 8)
    pictures, labels = rng.random((5, 32, 32)), np.array([0.0, 1, 1, 0, 1])
    log_odds = network.forward(pictures)
    found = network.backward((sigmoid(log_odds) - labels) / 5)

    twin = build_scratch_twin(32, 8).double()
    twin.load_state_dict({name: torch.from_numpy(t).double() for name, t in network.tensors().items()})
    for name, tensor in network.parameters.items():  # the twin's weights without rounding to float32
        weight = twin.get_parameter(_TWIN[name])
        weight.data.copy_(torch.from_numpy(tensor).view_as(weight))
    twin.body.luma = torch.tensor([1 / 3, 1 / 3, 1 / 3], dtype=torch.float64).view(1, 3, 1, 1)
    pixels = torch.from_numpy(np.repeat(pictures[:, None], 3, axis=1))
    theirs = twin.logit(pixels)
    np.testing.assert_allclose(log_odds, theirs.detach().numpy(), atol=1e-9)
    torch.nn.functional.binary_cross_entropy_with_logits(theirs, torch.from_numpy(labels)).backward()
    for name, gradient in found.items():
        expected = twin.get_parameter(_TWIN[name]).grad.numpy().reshape(gradient.shape)
        np.testing.assert_allclose(gradient, expected, atol=1e-5)
        assert np.abs(expected).max() > 1e-4


_TWIN = {
    "kernels": "body.convolution.weight",
    "kernel_bias": "body.convolution.bias",
    "dense": "head.last.weight",
    "dense_bias": "head.last.bias",
}


def test_numpy_network_learns_by_its_own_steps():
    from aiforensics_models.networks.scratch_numpy import ScratchCnn

    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2.0
    pictures = rng.random((40, 32, 32)) * 0.5 + 0.4 * labels[:, None, None] * np.eye(32)
    network = ScratchCnn(8, seed=0)
    losses = [network.step(pictures, labels, 0.05)[0] for _ in range(25)]
    assert losses[-1] < 0.7 * losses[0]
