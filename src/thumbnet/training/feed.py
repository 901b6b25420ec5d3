"""Augmented, normalized batches for each step of a plan."""

import torch
from torch import Tensor

from thumbnet.augment.mix import MixPlan, draw_mix
from thumbnet.augment.place import place
from thumbnet.augment.policy import Policy
from thumbnet.augment.views import Preprocess
from thumbnet.data.loader import Loader, epoch_order, labels_of
from thumbnet.data.packed import PackedDataset
from thumbnet.data.splits import Part
from thumbnet.training.balance import balanced_order, class_weights
from thumbnet.training.phases import Plan, StepPlan
from thumbnet.training.world import World, share_of


class Feed:
    """Hands out the batch of any step: a function of (seed, epoch, position) and the data alone.

    On several ranks it hands out this rank's share. Where images are mixed with partners from all
    of the batch, every rank prepares all of it, and its share is followed by the rest.

    Images are scaled down to the phase's size before they are augmented, once a phase; sizes
    over the packed one are scaled up after it, on the device. `weights` are those of the classes
    in the loss, where `training.balance` is `loss`.
    """

    def __init__(
        self,
        dataset: PackedDataset,
        part: Part,
        preprocess: Preprocess,
        plan: Plan,
        device: torch.device,
        world: World | None = None,
    ) -> None:
        self.world = world or World()
        self.dataset, self.part, self.device = dataset, part, device
        self.preprocess, self.plan = preprocess, plan
        training = plan.recipe.training
        self.seed = training.seed
        own = training.augment_seed
        self.augment_seed = self.seed if own is None else own
        self._labels, self._balance = labels_of(dataset, part), training.balance
        self.weights: Tensor | None = None
        if self._balance == "loss":
            self.weights = place(class_weights(self._labels, dataset.num_classes), device)
        self._loader: Loader | None = None
        self._phase = self._epoch = self._size = -1

    def batch(self, at: StepPlan) -> tuple[Tensor, Tensor, MixPlan | None]:
        """Return the inputs and labels of a step, and how they are to be mixed.

        Shapes: -> (B, C, S, S) float32, (B,) int64
        """
        if at.phase != self._phase:
            self._enter_phase(at)
        if at.epoch != self._epoch:
            self._enter_epoch(at)
        share = share_of(at.first, at.last, self.world)
        if not at.mix or self.world.size == 1:
            inputs, labels = self._inputs(at, share.first, share.last)
            return inputs, labels, self._mix(at, inputs)
        inputs, labels = self._inputs(at, at.first, at.last)
        mix, first, last = self._mix(at, inputs), share.first - at.first, share.last - at.first
        if mix is None:
            return inputs[first:last], labels[first:last], None
        return inputs.roll(-first, 0), labels.roll(-first, 0), mix.of(first, last)

    def _mix(self, at: StepPlan, inputs: Tensor) -> MixPlan | None:
        size = inputs.shape[-1]
        mix = draw_mix(at.mix, self.augment_seed, at.step, at.last - at.first, size)
        return None if mix is None else mix.to(self.device)

    def _inputs(self, at: StepPlan, first: int, last: int) -> tuple[Tensor, Tensor]:
        assert self._loader is not None
        images, labels = self._loader.batch(self._order[first:last])
        images = self._policy(images, first)
        return self.preprocess.to_input(images, at.image_size), labels

    def _enter_phase(self, at: StepPlan) -> None:
        size = min(at.image_size, self.dataset.image_size)
        scales = size < self.dataset.image_size or self.preprocess.color == "grey"
        shrink = (lambda images: self.preprocess.shrink(images, size)) if scales else None
        known = self._loader is not None and self._size == size
        if not known:
            self._loader = None  # frees the old one first
            self._loader = Loader(self.dataset, self.part, self.device, shrink)
        self._size, self._phase, self._epoch = size, at.phase, -1

    def _enter_epoch(self, at: StepPlan) -> None:
        num_images = len(self.part.indices)
        if self._balance == "sampler":
            order = balanced_order(self.seed, at.epoch, self._labels)
        else:
            order = epoch_order(self.seed, at.epoch, num_images)
        specs = self.plan.phases[at.phase].augment
        self._policy = Policy(
            specs, num_images, self._size, self.augment_seed, at.epoch, order=order
        )
        self._order = place(order, self.device)
        self._epoch = at.epoch
