"""Tests of the model and training code; they need torch and no pictures, and take about a minute.

usage: python train/test.py
"""
import copy
import json
import math
import random
import sys
import tempfile
import unittest
from pathlib import Path
import known
import lite
import numpy as np
import openvino
import pool
import support
import taught
import torch
from cpu import Compiled, make_pointwise
from curve import draw, read
from distil import Projector
from evaluate import logits, top, wilson
from export import columns_of, config_of, export, self_test_input
from gpu import make_dense
from join import join
from network import VARIANTS, blocks, build, start_from
from pictures import DEVIATION, MEAN, at_side, augment, jitter, load, mix, sharpen
from PIL import Image
from regularise import add_dropout, add_stochastic_depth
from torch.nn import functional as F
from safetensors.torch import save_file
from train import Training, arguments_of, rate_at, sides_at

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parent / "tests/golden"
sys.path.append(str(HERE.parent / "tests/reference"))
import model  # noqa: E402
import recipe  # noqa: E402

FORMS = [dict(form=form, aggregation=aggregation, cheap_kernel=kernel, cheap_ratio=ratio)
         for form, aggregation, kernel, ratio in (("released", True, 1, 0.5), ("released", False, 3, 0.5),
                                                  ("released", True, 5, 0.25), ("paper", True, 1, 0.5),
                                                  ("paper", False, 5, 0.75), ("released", True, 1, 1.0))]


def shaded_set(root, count=24, side=40):
    """Two classes of pictures in random colours: bright at the top, bright at the bottom."""
    random = torch.Generator().manual_seed(1)
    for part in ("train", "val"):
        for name, ends in (("bottom", (0.2, 1)), ("top", (1, 0.2))):
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                colour = 80 + 175 * torch.rand(3, generator=random)
                light = torch.linspace(*ends, side).view(-1, 1, 1) * torch.ones(1, side, 1)
                Image.fromarray((light * colour).to(torch.uint8).numpy()).save(folder / f"{i:03}.png")


def small_training(root, out, *more):
    return Training(arguments_of([str(root), str(out), "--variant", "g_ghost_regnetx_002", "--stored", "40",
                                  "--sizes", "32:0.5,40:1", "--batch", "16", "--rate", "0.1", "--validate-every",
                                  "100", "--average", "0.9", *more]))


class Network(unittest.TestCase):
    def test_keys_and_shapes_are_the_released_ones(self):
        for number in ("002", "008", "032"):
            expected = json.loads((GOLDEN / f"keys/g_ghost_regnetx_{number}.json").read_text())
            state = build(f"g_ghost_regnetx_{number}", 1000).state_dict()
            self.assertEqual({key: list(value.shape) for key, value in state.items()}, dict(expected))

    def test_logits_are_those_of_the_authors_code(self):
        golden = json.loads((GOLDEN / "reference/g_ghost_regnetx_008_160x192_b2.json").read_text())
        net = recipe.fill(build("g_ghost_regnetx_008", golden["num_classes"]), golden["salt"])
        with torch.no_grad():
            found = net(recipe.picture(golden["input"], golden["salt"])).flatten()[:200]
        expected = torch.tensor(golden["logits"])
        self.assertLess((found - expected).abs().max(), 1e-5 * expected.abs().max())

    def test_plain_twin_has_no_ghost_stage_and_more_parameters(self):
        ghost, plain = build("g_ghost_regnetx_006", 10), build("regnetx_006", 10)
        self.assertFalse([key for key in plain.state_dict() if "cheap" in key or "merge" in key])
        self.assertEqual(len(blocks(plain)), sum(VARIANTS["006"][0]))
        self.assertGreater(sum(p.numel() for p in plain.parameters()), sum(p.numel() for p in ghost.parameters()))

    def test_every_form_trains_every_parameter(self):
        for form in FORMS:
            with self.subTest(form):
                torch.manual_seed(0)
                net = build("g_ghost_regnetx_002", 5, **form)
                for block in blocks(net):
                    torch.nn.init.ones_(block.bn3.weight)  # else a block's other weights have no gradient yet
                F.cross_entropy(net(torch.randn(4, 3, 64, 64)), torch.arange(4)).backward()
                still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
                self.assertEqual(still, [])

    def test_unknown_network_and_foreign_weights_are_refused(self):
        with self.assertRaisesRegex(SystemExit, "no network is named"):
            build("g_ghost_regnetx_007", 10)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "weights.pth"
            torch.save(build("regnetx_002", 10).state_dict(), path)
            with self.assertRaisesRegex(SystemExit, "of another network"):
                start_from(build("g_ghost_regnetx_002", 10), path)

    def test_a_head_of_other_classes_stays_random(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "weights.pth"
            first, other = build("g_ghost_regnetx_002", 10), build("g_ghost_regnetx_002", 7)
            torch.save(first.state_dict(), path)
            head = other.fc.weight.clone()
            self.assertFalse(start_from(other, path))
            self.assertTrue(torch.equal(other.fc.weight, head))
            self.assertTrue(torch.equal(other.layer4.end.conv1.weight, first.layer4.end.conv1.weight))


class Regularise(unittest.TestCase):
    def test_inference_is_untouched_and_training_keeps_the_expectation(self):
        torch.manual_seed(0)
        net = build("g_ghost_regnetx_002", 5).eval()
        x = torch.randn(2, 3, 32, 32)
        before = net(x)
        add_stochastic_depth(net, 0.5)
        add_dropout(net, 0.5)
        self.assertTrue(torch.equal(net(x), before))
        last = blocks(net)[-1].bn3
        last.train()
        hook = next(iter(last._forward_hooks.values()))
        dropped = hook(last, None, torch.ones(4000, 1, 1, 1))
        self.assertEqual(sorted(dropped.unique().tolist()), [0.0, 2.0])
        self.assertLess((dropped.mean() - 1).abs(), 5 / 4000 ** 0.5)  # five standard errors


class Speed(unittest.TestCase):
    def test_convolutions_computed_in_another_way(self):
        for change in (make_dense, make_pointwise):
            for form in ("released", "paper"):
                torch.manual_seed(0)
                before, after = (recipe.fill(build("g_ghost_regnetx_002", 5, form=form)).double() for _ in range(2))
                change(after)
                x = torch.randn(2, 3, 64, 64, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
                for net in (before, after):
                    F.cross_entropy(net(x), torch.arange(2)).backward()
                for (name, p), q in zip(before.named_parameters(), after.parameters()):
                    self.assertLess((p.grad - q.grad).abs().max(), 1e-10 * (1 + p.grad.abs().max()), name)
                self.assertEqual(before.state_dict().keys(), after.state_dict().keys())


def in_openvinos_form(net, folder):
    path = Path(folder) / "net.xml"
    openvino.save_model(openvino.convert_model(net, example_input=torch.zeros(1, 3, 32, 32),
                                               input=[(-1, 3, -1, -1)]), path)
    return path


class OpenVino(unittest.TestCase):
    def test_a_teacher_gives_what_its_network_gives(self):
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, 2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1),
                                  torch.nn.Flatten(), torch.nn.Linear(8, 5)).eval()
        with tempfile.TemporaryDirectory() as folder:
            path = in_openvinos_form(net, folder)
            teacher = Compiled(path, 5)
            for shape in ((4, 3, 32, 32), (2, 3, 48, 48), (4, 3, 32, 32)):
                x = torch.randn(shape)
                with torch.no_grad():
                    expected = net(x)
                # eight bits of mantissa, three roundings
                self.assertLess((teacher(x) - expected).abs().max(), 3 * 2**-8 * expected.abs().max())
            self.assertIsNone(teacher.with_features(x)[1])
            with self.assertRaisesRegex(SystemExit, "net.xml knows 5 classes, the set has 10"):
                Compiled(path, 10)
            with self.assertRaisesRegex(SystemExit, "there is no .*none.xml"):
                Compiled(path.with_name("none.xml"), 5)

    def test_a_second_output_is_what_the_classifier_reads(self):
        class Both(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.fc = torch.nn.Conv2d(3, 8, 3, 2), torch.nn.Linear(8, 5)

            def forward(self, x):
                features = self.conv(x).relu().mean((2, 3))
                return self.fc(features), features
        net = Both().eval()
        with tempfile.TemporaryDirectory() as folder:
            path = in_openvinos_form(net, folder)
            teacher = Compiled(path, 5)
            self.assertEqual(teacher.width, 8)
            x = torch.randn(4, 3, 32, 32)
            with torch.no_grad():
                expected = net(x)
            for ours, theirs in zip(teacher.with_features(x), expected):
                self.assertLess((ours - theirs).abs().max(), 3 * 2**-8 * theirs.abs().max())


class Pictures(unittest.TestCase):
    def test_a_batch_keeps_its_form(self):
        torch.manual_seed(0)
        out = augment(torch.randint(256, (8, 3, 50, 50)).to(torch.uint8), 32)
        self.assertEqual(out.shape, (8, 3, 32, 32))
        self.assertTrue(out.isfinite().all())
        self.assertGreater(out.std(), 0.1)

    def test_sharpening_and_blurring(self):
        torch.manual_seed(0)
        x = torch.rand(3, 3, 16, 16)
        out = sharpen(x, torch.tensor((0.0, -1.0, 1.0)))
        self.assertTrue(torch.equal(out[0], x[0]))
        self.assertLess(out[1].std(), x[1].std())
        self.assertGreater(out[2].std(), x[2].std())
        flat = torch.full((2, 3, 8, 8), 0.3)
        self.assertLess((sharpen(flat, torch.tensor((-1.0, 1.5))) - 0.3).abs().max(), 1e-6)

    def test_jitter_is_its_four_steps(self):
        torch.manual_seed(0)
        pixels = torch.rand(4, 3, 6, 6) * 255
        torch.manual_seed(1)
        found = jitter(pixels)
        torch.manual_seed(1)
        brightness, cast = torch.empty(4).uniform_(0.65, 1.35), torch.empty(4, 3).uniform_(0.9, 1.1)
        contrast, saturation = torch.empty(4).uniform_(0.6, 1.4), torch.empty(4).uniform_(0.4, 1.6)
        x = pixels / 255 * brightness.view(4, 1, 1, 1) * cast.view(4, 3, 1, 1)
        middle = x.mean((1, 2, 3), keepdim=True)
        x = middle + (x - middle) * contrast.view(4, 1, 1, 1)
        grey = x.mean(1, keepdim=True)
        x = (grey + (x - grey) * saturation.view(4, 1, 1, 1)).clamp(0, 1)
        expected = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(DEVIATION).view(3, 1, 1)
        self.assertLess((found - expected).abs().max(), 1e-5)

    def test_mixed_targets_are_the_share_of_the_pixels(self):
        labels = torch.arange(8)
        pixels = labels.float().view(8, 1, 1, 1).expand(8, 3, 20, 20).contiguous()
        for seed in range(20):
            torch.manual_seed(seed)
            mixed, targets = mix(pixels, F.one_hot(labels).float(), 1.0)
            self.assertLess((targets.sum(1) - 1).abs().max(), 1e-5)
            wanted = (targets * labels).sum(1)  # a picture's mean is the mean of its labels by their share
            self.assertLess((mixed.mean((1, 2, 3)) - wanted).abs().max(), 1e-4)
        untouched, targets = mix(pixels, F.one_hot(labels).float(), 0.0)
        self.assertTrue(torch.equal(untouched, pixels))

    def test_enlarging_is_pillows_bicubic(self):
        torch.manual_seed(0)
        x = torch.randint(90, 166, (1, 3, 40, 40)).to(torch.uint8)  # no overshoot that Pillow would cut between passes
        picture = Image.fromarray(x[0].permute(1, 2, 0).numpy()).resize((64, 64), Image.BICUBIC)
        expected = at_side(torch.tensor(list(picture.tobytes())).view(1, 64, 64, 3).permute(0, 3, 1, 2), 64)
        # Pillow rounds to whole steps after each of its two passes: less than two steps of 1/255 in 0.224
        self.assertLess((at_side(x, 64) - expected).abs().max(), 2 / 255 / 0.224)


class Join(unittest.TestCase):
    def test_what_any_set_holds_back_is_left_out(self):
        with tempfile.TemporaryDirectory() as folder:
            first, second, out = (Path(folder) / name for name in ("first", "second", "out"))
            random = torch.Generator().manual_seed(1)
            for root, names in ((first, "abc"), (second, "cde")):
                for part in ("train", "val"):
                    for name in names:
                        (root / part / name).mkdir(parents=True)
                        coarse = torch.randint(256, (4, 4, 3), generator=random).to(torch.uint8)
                        Image.fromarray(coarse.numpy()).resize((48, 48), Image.BICUBIC).save(
                            root / part / name / f"{root.name}.png")
            Image.open(second / "val/d/second.png").resize((30, 30), Image.BICUBIC).save(first / "train/a/again.png")
            linked, left_out = join(out, (first, second))
            self.assertEqual(left_out, [first / "train/a/again.png"])
            self.assertEqual(sorted(str(file.relative_to(out)) for file in linked),
                             ["train/a/first.png", "train/b/first.png", "train/c/first.png", "train/c/second.png",
                              "train/d/second.png", "train/e/second.png"])
            with self.assertRaisesRegex(SystemExit, "is there already"):
                join(out, (first, second))


class Schedule(unittest.TestCase):
    def test_rate_and_side(self):
        self.assertLess(rate_at(0.2, 0.1, 0.0), 0.001)
        self.assertAlmostEqual(rate_at(0.2, 0.1, 0.1), 0.2)
        self.assertAlmostEqual(rate_at(0.2, 0.1, 0.55), 0.1)
        self.assertAlmostEqual(rate_at(0.2, 0.1, 1.0), 0.0)
        self.assertEqual([sides_at([([64], 0.5), ([80, 96], 1)], done) for done in (0, 0.49, 0.5, 1.0)],
                         [[64], [64], [80, 96], [80, 96]])


class Train(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        shaded_set(self.root)

    def tearDown(self):
        self.folder.cleanup()

    def same_states(self, *kinds):
        """-> the state of a run in one piece, `whole`, which that of one in two, `parts`, must be the same as"""
        whole, parts = (torch.load(self.root / f"{name}.state", weights_only=True) for name in ("whole", "parts"))
        self.assertEqual(whole["step"], parts["step"])
        for kind in kinds:
            for key, value in whole[kind].items():
                self.assertTrue(torch.equal(value, parts[kind][key]), f"{kind} {key}")
        return whole

    def test_it_learns_and_writes_what_it_says(self):
        small_training(self.root, self.root / "a", "--epochs", "12", "--mix", "0.2").run()
        log = [json.loads(line) for line in (self.root / "a.jsonl").read_text().splitlines()]
        self.assertEqual({record["event"] for record in log}, {"start", "epoch", "validation", "end"})
        final = [record for record in log if record["event"] == "validation"][-1]
        self.assertGreater(final["top1"], 0.9)
        net = build("g_ghost_regnetx_002", 2)
        start_from(net, self.root / "a.pth")
        pixels, labels, _ = load(self.root / "val", 40)
        self.assertEqual(top(logits(net, pixels, 40), labels, 1) / len(labels), final["top1"])

    def test_a_stopped_run_goes_on_to_the_same_weights(self):
        more = ("--epochs", "3", "--sizes", "32:0.5,32+40:1", "--f32", "--mix", "0.5", "--depth-drop", "0.1",
                "--threads", "1")
        small_training(self.root, self.root / "whole", *more).run()
        stopped = small_training(self.root, self.root / "parts", *more)
        step = stopped.train_step

        def step_and_fall():
            if stopped.step == 5:  # in the second epoch, after the state of the first was saved
                raise KeyboardInterrupt
            return step()
        stopped.train_step = step_and_fall
        with self.assertRaises(KeyboardInterrupt):
            stopped.run()
        small_training(self.root, self.root / "parts", *more).run()
        self.same_states("net", "average")

    def test_a_state_of_another_network_and_a_diverged_run_are_refused(self):
        training = small_training(self.root, self.root / "c", "--epochs", "1", "--f32")
        training.save()
        with self.assertRaisesRegex(SystemExit, "c.state is of another network"):
            small_training(self.root, self.root / "c", "--cheap-ratio", "0.75")
        torch.nn.init.constant_(training.net.fc.weight, float("inf"))
        with self.assertRaisesRegex(SystemExit, "not finite at step 0"):
            training.run()

    def teacher(self, *more):
        torch.save(build("g_ghost_regnetx_002", 2).state_dict(), self.root / "teacher.pth")
        return ("--teacher", str(self.root / "teacher.pth"), "--teacher-variant", "g_ghost_regnetx_002", "--f32", *more)

    def test_a_teacher_that_agrees_costs_nothing(self):
        training = small_training(self.root, self.root / "b", *self.teacher("--teacher-share", "1"),
                                  "--from", str(self.root / "teacher.pth"))
        pixels, targets = training.batch()
        training.net.eval()
        self.assertLess(training.loss(pixels, targets).abs(), 1e-5)
        torch.nn.init.normal_(training.net.fc.weight)
        self.assertGreater(training.loss(pixels, targets), 1e-2)

    def test_features_cost_what_of_them_is_unexplained(self):
        training = small_training(self.root, self.root / "d", *self.teacher(
            "--teacher-share", "1", "--teacher-features", "2"), "--dropout", "0", "--from",
            str(self.root / "teacher.pth"))
        pixels, targets = training.batch()
        training.net.eval()  # as the teacher is; the projector is not
        self.assertLess((training.loss(pixels, targets) - 2).abs(), 1e-5)  # without a projection nothing is explained
        variance = training.distillation.pooled.features.var(0, unbiased=False)
        linear = training.distillation.projector.linear
        with torch.no_grad():  # they are its own features, standardised by the projector, which this takes back
            linear.weight.copy_(torch.diag((variance + 1e-5).sqrt() / variance.mean().sqrt() / Projector.FACTOR))
        self.assertLess(training.loss(pixels, targets), 1e-4)

    def test_features_train_the_network_and_go_on_as_they_were(self):
        teacher = self.teacher("--teacher-share", "0", "--teacher-features", "1")
        more = (*teacher, "--epochs", "2", "--threads", "1")
        small_training(self.root, self.root / "whole", *more).run()
        parts = small_training(self.root, self.root / "parts", *more)
        for _ in range(parts.steps_an_epoch):
            parts.train_step()
        parts.save()
        small_training(self.root, self.root / "parts", *more).run()
        whole = self.same_states("net", "average", "distillation")
        self.assertIn("projector.linear.weight", whole["distillation"])
        self.assertGreater(whole["distillation"]["projector.linear.weight"].abs().max(), 0)
        self.assertEqual(torch.load(self.root / "whole.pth", weights_only=True).keys(),
                         build("g_ghost_regnetx_002", 2).state_dict().keys())


class Export(unittest.TestCase):
    def test_the_file_is_the_checkpoint_in_half_precision(self):
        with tempfile.TemporaryDirectory() as folder:
            path, out = Path(folder) / "a.pth", Path(folder) / "a.safetensors"
            torch.manual_seed(0)
            net = recipe.fill(build("g_ghost_regnetx_002", 3))
            torch.save(net.state_dict(), path)
            export([path], out, "g_ghost_regnetx_002", FORMS[0], ["a", "b", "ç_d"], ["a", "b", "ç d"], 64)
            read, config = model.load(out)
            with torch.no_grad():
                logits_of_file = copy.deepcopy(read).double()(self_test_input(64).double())[0].float().tolist()
            self.assertEqual(config.pop("golden"), logits_of_file)
            self.assertEqual(config, dict(variant="g_ghost_regnetx_002", classes=["a", "b", "ç d"], input=dict(
                side=64, resize="squash", interpolation="bicubic", mean=[0.485, 0.456, 0.406],
                std=[0.229, 0.224, 0.225])))
            for key, value in net.state_dict().items():
                if not key.endswith("num_batches_tracked"):
                    self.assertTrue(torch.equal(read.state_dict()[key], value.half().float()), key)
            with self.assertRaisesRegex(SystemExit, "2 labels"):
                export([path], out, "g_ghost_regnetx_002", FORMS[0], ["a", "b"], ["a", "b"], 64)
            state = net.state_dict()
            state["fc.bias"] = torch.tensor((1.0, 1e6, 0.0))
            torch.save(state, path)
            with self.assertRaisesRegex(SystemExit, "fc.bias is not finite as f16"):
                export([path], out, "g_ghost_regnetx_002", FORMS[0], ["a", "b", "c"], ["a", "b", "c"], 64)

    def test_means_of_checkpoints_and_some_of_their_classes(self):
        with tempfile.TemporaryDirectory() as folder:
            both, tuned, out = (Path(folder) / name for name in ("both.pth", "tuned.pth", "a.safetensors"))
            first, second = build("g_ghost_regnetx_002", 4), build("g_ghost_regnetx_002", 2)
            torch.save(first.state_dict(), both)
            torch.save(second.state_dict(), tuned)
            both.with_suffix(".jsonl").write_text('{"classes": ["ant", "bee", "cow", "dog"]}\n')
            export([both, tuned], out, "g_ghost_regnetx_002", FORMS[0], ["bee", "dog"], ["Bee", "Dog"], 64, "f32")
            read = model.load(out)[0].state_dict()
            self.assertTrue(torch.equal(read["fc.weight"], (first.fc.weight[[1, 3]] + second.fc.weight) / 2))
            self.assertTrue(torch.equal(read["conv1.weight"], (first.conv1.weight + second.conv1.weight) / 2))
            with self.assertRaisesRegex(SystemExit, "there are 2 labels, and .*both.pth knows 4 classes"):
                export([both], out, "g_ghost_regnetx_002", FORMS[0], ["bee", "elk"], ["Bee", "Elk"], 64)

    def test_some_of_imagenets_classes(self):
        with tempfile.TemporaryDirectory() as folder:
            start, out = Path(folder) / "all.pth", Path(folder) / "a.safetensors"
            net = build("g_ghost_regnetx_002", 1000).eval()
            torch.save(net.state_dict(), start)
            numbers = ["n01443537", "n02119789", "n13133613"]  # goldfish, kit fox, ear
            export([start], out, "g_ghost_regnetx_002", FORMS[0], numbers, ["a", "b", "c"], 64, "f32")
            few, _ = model.load(out)
            few.eval()
            pixels = torch.randn(2, 3, 64, 64)
            with torch.no_grad():
                torch.testing.assert_close(few(pixels), net(pixels)[:, [1, 278, 998]])

    def test_a_form_of_its_own_is_named_in_the_config(self):
        config = config_of("g_ghost_regnetx_006", FORMS[4], ["a"], 64, [0.5])
        self.assertEqual({key: config[key] for key in ("form", "aggregation", "cheapKernel", "cheapRatio")},
                         dict(form="paper", aggregation=False, cheapKernel=5, cheapRatio=0.75))

    def test_labels(self):
        for name, count, last in (("imagenette", 10, "tench"), ("mini-imagenet", 100, "yawl"),
                                  ("everyday", 53, "courgette"), ("default", 498, "ear")):
            folders, labels = columns_of(HERE / f"labels/{name}.tsv", "folder", "label")
            self.assertEqual(folders, sorted(folders))
            self.assertEqual((len(labels), len(set(labels)), labels[-1]), (count, count, last))


class Known(unittest.TestCase):
    def test_the_area_under_the_curve_is_the_share_of_pairs(self):
        chance = torch.Generator().manual_seed(3)
        mine, others = torch.randn(40, generator=chance) + 1, torch.randn(70, generator=chance)
        area, low, high = known.auroc(mine, others)
        self.assertAlmostEqual(area, (mine[:, None] > others).double().mean().item(), 9)
        self.assertTrue(low < area < high)
        self.assertEqual(known.auroc(others + 99, others)[0], 1)

    def test_the_temperature_is_that_of_which_the_labels_were_drawn(self):
        chance = torch.Generator().manual_seed(4)
        logits = torch.randn(20_000, 5, generator=chance) * 3
        for temperature in (0.7, 2.0):
            labels = torch.multinomial((logits / temperature).softmax(1), 1, generator=chance)[:, 0]
            # The estimate of 20,000 draws is off by some hundredths at most.
            self.assertAlmostEqual(known.fit_temperature([(logits, labels)]), temperature, delta=0.05)
            probabilities = (logits / temperature).softmax(1)
            # A bin's gap is a mean of its draws: at most 15 bins' worth of 0.4 / sqrt(n / 15).
            self.assertLess(known.calibration_error(probabilities, labels), 0.015)
            self.assertGreater(known.calibration_error((logits * 3).softmax(1), labels), 0.05)

    def test_the_rule_keeps_what_it_says_and_is_the_odds(self):
        chance = torch.Generator().manual_seed(5)
        mine, others = torch.randn(4000, generator=chance) + 3, torch.randn(4000, generator=chance)
        location, scale, threshold = known.fit_rule([mine[:1000], mine[1000:]], [others])
        likely = ((mine - location) / scale).sigmoid()
        kept = [(part >= threshold - 1e-4).double().mean().item() for part in (likely[:1000], likely[1000:])]
        self.assertAlmostEqual(sum(kept) / 2, known.KEPT, delta=0.002)
        # Two normal distributions of deviation 1 and means 3 and 0 have odds of exp(3 x - 4.5).
        self.assertAlmostEqual(location, 1.5, delta=0.1)
        self.assertAlmostEqual(scale, 1 / 3, delta=0.05)
        with self.assertRaisesRegex(SystemExit, "strangers score as high"):
            known.fit_rule([others], [mine])

    def test_a_config_is_changed_and_the_weights_are_not(self):
        with tempfile.TemporaryDirectory() as folder:
            path, out = Path(folder) / "a.pth", Path(folder) / "a.safetensors"
            torch.save(build("g_ghost_regnetx_002", 3).state_dict(), path)
            export([path], out, "g_ghost_regnetx_002", FORMS[0], ["a", "b", "c"], ["a", "b", "ç"], 64)
            before, config = model.load(out)
            known.write_config(out, dict(temperature=0.8))
            after, changed = model.load(out)
            self.assertEqual(changed, config | dict(temperature=0.8))
            self.assertEqual(known.config_of_file(out), changed)
            for key, value in before.state_dict().items():
                self.assertTrue(torch.equal(after.state_dict()[key], value), key)

    def test_noise_and_classes_by_number(self):
        pixels = known.noise(12, 32, torch.Generator().manual_seed(0))
        self.assertEqual((pixels.dtype, tuple(pixels.shape)), (torch.uint8, (12, 3, 32, 32)))
        self.assertEqual(known.classes_of(HERE / "labels/imagenette.tsv")[217], 0)  # English springer
        self.assertEqual(len(known.classes_of(HERE / "labels/mini-imagenet.tsv")), 100)
        self.assertEqual(known.classes_of(HERE / "labels/everyday.tsv"), {})


class Evaluate(unittest.TestCase):
    def test_wilson(self):
        low, high = wilson(2822, 3145)  # 89.73%; the interval that R's prop.test(correct = FALSE) gives
        self.assertAlmostEqual(low, 0.8862, 4)
        self.assertAlmostEqual(high, 0.9074, 4)


class Pool(unittest.TestCase):
    def test_a_file_gives_back_the_pictures_and_what_is_said_of_them(self):
        ramp = np.linspace(0, 255, 64).round().astype(np.uint8)
        tiles = np.stack([np.broadcast_to(one, (64, 64, 3)) for one in
                          [ramp[:, None, None], ramp[None, :, None], ramp[::-1, None, None]] * 40])
        sheets = [(pool.sheet_of(tiles[:100], 90), 64, list(range(100))), (pool.sheet_of(tiles[100:], 90), 64, [-1] * 20)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.pool"
            pool.write(path, sheets, [True, False], [2.0, 0.5])
            found, sharp, weight = pool.read(path)
        self.assertEqual([sheet[1:] for sheet in found], [sheet[1:] for sheet in sheets])
        self.assertEqual((sharp.tolist(), weight.tolist()), ([1, 0], [2.0, 0.5]))
        whole = np.concatenate([pool.tiles_of(data, side, len(labels)) for data, side, labels in found])
        apart = np.abs(whole.astype(int) - tiles.transpose(0, 3, 1, 2))
        self.assertLess(apart.mean(), 3)  # a picture in another's place would be 60 to 90 apart

    def test_pictures_are_the_same_however_large_and_others_are_not(self):
        noise = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 3), dtype=np.uint8)
        one, other = (Image.fromarray(picture).resize((120, 120), Image.BICUBIC) for picture in noise)
        self.assertGreater(pool.grey(one) @ pool.grey(one.resize((64, 64), Image.BICUBIC)), pool.SAME)
        self.assertLess(pool.grey(one) @ pool.grey(other), 0.5)


class Lite(unittest.TestCase):
    def test_the_networks_have_the_published_numbers_of_parameters(self):
        for number, millions in {0: 4.7, 1: 5.4, 2: 6.1}.items():  # as published; folding left some out
            found = sum(p.numel() for p in lite.Lite(number).parameters()) / 1e6
            self.assertAlmostEqual(found, millions, delta=0.08)

    def test_a_folded_batch_norm_is_the_batch_norm(self):
        torch.manual_seed(0)
        conv, norm = torch.nn.Conv2d(3, 8, 3, bias=False), torch.nn.BatchNorm2d(8, eps=1e-3)
        for values in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
            values.uniform_(0.5, 2)
        state = torch.nn.ModuleDict(dict(conv=conv, norm=norm.eval())).state_dict()
        weight, bias = lite.folded(state, "conv", "norm")
        x = torch.randn(2, 3, 9, 9)
        torch.testing.assert_close(F.conv2d(x, weight, bias), norm(conv(x)), atol=1e-5, rtol=1e-5)

    def test_padding_is_tensorflows(self):
        for side, kernel, low, high in ((240, 3, 0, 1), (30, 5, 1, 2), (15, 5, 2, 2), (15, 3, 1, 1)):
            layer = lite.Folded(1, 1, kernel, 2, side)
            layer.conv.weight.data.fill_(1)
            layer.conv.bias.data.zero_()
            x = torch.rand(1, 1, side, side) / kernel ** 2
            wanted = F.conv2d(F.pad(x, (low, high, low, high)), layer.conv.weight, stride=2)
            torch.testing.assert_close(layer(x), wanted)


class Taught(unittest.TestCase):
    def test_a_label_counts_the_more_the_less_the_teacher_believes_it(self):
        answers, features = torch.tensor([[9.0, 0, 0], [0, 9.0, 0], [1.0, 1.0, 1.0], [3.0, 1.0, 0]]), torch.rand(4, 5)
        targets = taught.targets_of(answers, features, torch.tensor([0, 0, 0, -1]))
        probabilities, seen, counts = targets.split((3, 5, 1), 1)
        torch.testing.assert_close(probabilities.sum(1), torch.ones(4))
        torch.testing.assert_close(counts[:, 0], torch.tensor([0.8, 0.2, 1 / 3, 1.0]))
        torch.testing.assert_close(probabilities[3], answers[3].softmax(0))
        torch.testing.assert_close(probabilities[2], torch.tensor([7 / 9, 1 / 9, 1 / 9]))
        self.assertTrue(torch.equal(seen, features))

    def test_the_loss_is_least_for_what_is_wanted(self):
        torch.manual_seed(0)
        answers, features = torch.randn(16, 10), torch.randn(16, 4)
        targets = torch.cat((answers.softmax(1), features, torch.ones(16, 1)), 1)
        standard = features - features.mean(0)
        standard /= standard.square().mean().sqrt()
        _, apart, unexplained = taught.losses(answers, standard, targets, 3.0)
        self.assertLess(abs(apart.item()) + unexplained.item(), 1e-5)
        loss, apart, unexplained = taught.losses(answers + torch.randn(16, 10), torch.zeros(16, 4), targets, 3.0)
        self.assertGreater(apart.item(), 0.1)
        self.assertAlmostEqual(unexplained.item(), 1.0, places=4)

    def test_a_start_of_fewer_classes_keeps_their_rows(self):
        start = HERE.parent / "models/g_ghost_regnetx_008-mini-imagenet.safetensors"
        net = taught.student_of("g_ghost_regnetx_008", start, HERE / "labels/mini-imagenet.tsv")
        state, names = taught.read_weights(start), (HERE.parent / "models/imagenet-1k.txt").read_text(encoding="utf-8").splitlines()
        folders, labels, _ = zip(*(line.split("\t") for line in
                                   (HERE / "labels/mini-imagenet.tsv").read_text().splitlines()[1:]))
        at = names.index("ladybug")
        row = sorted(folders).index(folders[labels.index("ladybug")])
        self.assertTrue(torch.equal(net.fc.weight[at], state["fc.weight"][row]))
        self.assertEqual(int((net.fc.weight.abs().sum(1) > 0).sum()), 100)

    def test_measuring_leaves_cudnn_on(self):
        class Net(torch.nn.Module):
            def forward(self, pixels):
                seen.append((torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark))
                return torch.eye(1000)[:len(pixels)]

        seen, held = [], taught.Held(None)
        held.sets["some"] = torch.zeros(8, 3, 16, 16, dtype=torch.uint8), torch.tensor([0, 1, 2, 3, 9, 9, 9, 9])
        found = held.measure(Net(), [16], torch.device("cpu"))
        self.assertEqual(found["some 16"][0], 50.0)
        self.assertEqual(seen, [(True, False)])

    def test_a_training_takes_in_what_arrives_ends_in_time_goes_back_and_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            for name in ("parts", "held"):
                (folder / name).mkdir()
            torch.manual_seed(0)
            teacher = {key: value.half() for key, value in lite.Lite(0).state_dict().items()}
            save_file(teacher, folder / "teacher.safetensors", metadata={"lite": "0"})
            tiles = np.random.default_rng(0).integers(0, 256, (50, 64, 64, 3), dtype=np.uint8)
            sheets = [(pool.sheet_of(tiles, 50), 64, [*range(25), *[-1] * 25])]
            pool.write(folder / "parts/part-0.pool", sheets, [True], [1.0])
            pool.write(folder / "held/some.pool", [(sheets[0][0], 64, list(range(50)))], [True], [1.0])
            command = [str(folder / "parts"), str(folder / "out"), "--from",
                       str(HERE.parent / "models/g_ghost_regnetx_008-mini-imagenet.safetensors"), "--teacher",
                       str(folder / "teacher.safetensors"), "--held", str(folder / "held"), "--held-sides", "32",
                       "--seconds", "600", "--sizes", "32:1", "--stored", "64", "--view", "40", "--teacher-side", "32",
                       "--capacity", "120", "--least", "50", "--batch", "8", "--reuse", "2", "--kept", "16",
                       "--workers", "1", "--rate", "0.01"]
            training = taught.Training(taught.arguments_of(command))
            training.wait_for_pictures()
            training.first = training.began
            training.remember()
            before = copy.deepcopy(training.trained.state_dict())
            self.assertTrue(training.train_step().isfinite().all())
            self.assertEqual((training.full, training.views), (4, 4))
            pool.write(folder / "parts/part-1.pool", sheets, [False], [1.0])
            (folder / "parts/part-2.pool").write_bytes(b"no such thing")
            training.arguments.least = 100
            training.wait_for_pictures()
            self.assertEqual(training.pool.label[:100].tolist(), 2 * sheets[0][2])
            self.assertEqual(training.pool.sharp[:100].tolist(), [True] * 50 + [False] * 50)
            self.assertTrue((training.pool.draw(1000) < 100).all())
            training.net.fc.weight.data.fill_(torch.nan)
            self.assertFalse(training.train_step().isfinite().all())
            training.remember()  # of what is not finite: keeps the former
            training.go_back()
            self.assertEqual(training.slower, 0.5)
            for key, value in training.trained.state_dict().items():
                self.assertTrue(torch.equal(value, before[key]), key)
            training.train_step()
            training.end = training.began  # the time is over
            training.run()
            self.assertTrue((folder / "out.done").exists())
            events = [json.loads(line)["event"] for line in (folder / "out.jsonl").read_text().splitlines()]
            self.assertTrue({"part", "damaged", "went back", "held", "end"} <= set(events), events)
            training.pool.workers.terminate()
            again = taught.Training(taught.arguments_of(command))
            self.addCleanup(again.pool.workers.terminate)
            self.assertEqual(again.step, training.step)
            for (key, value), other in zip(training.net.state_dict().items(), again.net.state_dict().values()):
                torch.testing.assert_close(value, other, atol=1e-3, rtol=1e-3, msg=key)
            found = start_from(build("g_ghost_regnetx_008", 1000), folder / "out.pth")
            self.assertTrue(found)


class Support(unittest.TestCase):
    def test_support_is_the_teachers_probabilities_of_sharp_pictures_and_any_label(self):
        def teacher(pixels):
            answers = torch.zeros(len(pixels), 1000)
            answers[:, 7] = math.log(999)  # half of the probability
            return answers, None

        with tempfile.TemporaryDirectory() as folder:
            tiles = np.random.default_rng(0).integers(0, 256, (50, 64, 64, 3), dtype=np.uint8)
            sheet = pool.sheet_of(tiles, 50)
            pool.write(Path(folder) / "a.pool", [(sheet, 64, [3] * 50), (sheet, 64, [-1] * 50)], [False, True], [1.0] * 2)
            labels, sheets, sharp = support.sheets_of(Path(folder), random.Random(0))
        self.assertEqual((labels[3].item(), labels.sum().item(), len(sheets), sharp), (50, 50, 1, 50))
        mass, seen = support.support_of(sheets, teacher, 1000, 32)
        self.assertEqual(seen, 50)
        self.assertAlmostEqual(mass[7].item(), 25, places=3)
        self.assertAlmostEqual(mass.sum().item(), 50, places=3)

    def test_the_table_is_one_for_export(self):
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "a.tsv"
            table.write_text(support.table_of([at in (134, 998) for at in range(1000)]))
            self.assertEqual(columns_of(table, "folder", "label"), [["n02012849", "n13133613"], ["crane bird", "ear"]])


class Curve(unittest.TestCase):
    def test_a_resumed_training_is_one_curve(self):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "a.jsonl"
            events = [dict(event="start")]
            events += [dict(event="epoch", epoch=epoch, loss=loss) for epoch, loss in ((1, 4.0), (2, 3.5), (2, 3.25))]
            events += [dict(event="validation", epoch=2.5, side=112, top1=0.625), dict(event="end")]
            log.write_text("".join(json.dumps(event) + "\n" for event in events))
            self.assertEqual(read(log), ({1: 4.0, 2: 3.25}, {"112 px": {2.5: 0.625}}))
            loss, held_back = draw([("one", *read(log))]).axes
            self.assertEqual(loss.lines[0].get_xydata().tolist(), [[1, 4.0], [2, 3.25]])
            self.assertEqual(held_back.lines[0].get_xydata().tolist(), [[2.5, 62.5]])
            log.write_text(json.dumps(events[0]) + "\n")
            with self.assertRaisesRegex(SystemExit, "a.jsonl has no epoch"):
                read(log)

    def test_an_epoch_of_a_pool_is_as_many_samples_as_it_has_pictures(self):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "a.jsonl"
            look = {"mini 160": [70.0, 90.0], "mini 192": [60.0, 80.0], "tiny 160": [50.0, 75.0]}
            events = [dict(event="part", step=0), dict(event="ready", step=0, batch=64),
                      dict(event="trained", step=100, loss=2.0, pictures=3200), dict(event="held", step=150, **look)]
            log.write_text("".join(json.dumps(event) + "\n" for event in events))
            self.assertEqual(read(log), ({2.0: 2.0}, {"mini 160 px": {3.0: 0.7}, "tiny 160 px": {3.0: 0.5}}))


if __name__ == "__main__":
    unittest.main()
