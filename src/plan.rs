//! Steps and taps -> slots: what an executor needs beside the weights; pure, no weights, no GPU.
//!
//! Values live in few reusable slots: a slot is free again after the last step that reads its value.
//! A tapped value keeps its slot to the end, so asking for a tap costs memory and changes no number.
//! A tap before a sum gets a step of its own, a twin of the convolution without `add` and activation.

use crate::arch::{Activation, Network, Op, Step, TapSource, Value, ValueId, View};
use crate::error::Result;

/// Index in [`Plan::slots`].
pub type SlotId = usize;

/// A network's steps with the memory they run in.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The network's steps in order, with the twins that taps before a sum need.
    pub steps: Vec<Step>,
    /// The network's values, with those of the twins.
    pub values: Vec<Value>,
    /// The slot of each value; `None` if no step writes it.
    slot_of: Vec<Option<SlotId>>,
    /// Elements of each slot, for one image.
    pub slots: Vec<usize>,
    /// The input.
    pub image: View,
    /// The output.
    pub logits: View,
    /// Name and place of each requested tap, in the order they were asked for.
    pub taps: Vec<(String, View)>,
}

impl Plan {
    /// Plans the network with these taps.
    ///
    /// # Errors
    /// [`crate::Error::UnknownTap`]
    pub fn new<S: AsRef<str>>(network: &Network, taps: &[S]) -> Result<Plan> {
        let mut values = network.values.clone();
        let mut twins = Vec::new();
        let mut views = Vec::with_capacity(taps.len());
        for name in taps {
            let tap = network.tap(name.as_ref())?;
            let view = match tap.source {
                TapSource::View(view) => view,
                TapSource::BeforeAdd { step } => {
                    let y = new_value(&mut values, &tap.name, network.steps[step].y);
                    twins.push((step, y));
                    y
                }
            };
            views.push((tap.name.clone(), view));
        }

        let mut steps = Vec::with_capacity(network.steps.len() + twins.len());
        for (index, step) in network.steps.iter().enumerate() {
            steps.extend(twins.iter().filter(|twin| twin.0 == index).map(|&(_, y)| without_add(step, y)));
            steps.push(step.clone());
        }
        let logits = network.logits();
        let kept: Vec<ValueId> = views.iter().map(|(_, view)| view.value).chain([logits.value]).collect();
        let (slot_of, slots) = assign_slots(&values, &steps, &kept);
        Ok(Plan { steps, values, slot_of, slots, image: network.image(), logits, taps: views })
    }

    /// Slot of a view's value, which the input or a step writes.
    #[must_use]
    pub fn slot(&self, view: View) -> SlotId {
        self.slot_of[view.value].expect("steps read what was written")
    }

    /// Values with the slots that they live in, in the order of [`Plan::values`].
    pub fn placed(&self) -> impl Iterator<Item = (&Value, SlotId)> {
        self.values.iter().zip(&self.slot_of).filter_map(|(value, &slot)| Some((value, slot?)))
    }

    /// Channels of the value a view is part of: the distance between its pixels in a layout with
    /// channels innermost.
    #[must_use]
    pub fn row(&self, view: View) -> usize {
        self.values[view.value].channels
    }
}

fn new_value(values: &mut Vec<Value>, name: &str, like: View) -> View {
    let View { channels, height, width, .. } = like;
    values.push(Value { name: name.into(), channels, height, width });
    View { value: values.len() - 1, first: 0, channels, height, width }
}

/// The same convolution without the sum and the activation, written to `y`.
fn without_add(step: &Step, y: View) -> Step {
    let mut twin = Step { y, ..step.clone() };
    if let Op::Conv(conv) = &mut twin.op {
        conv.add = None;
        conv.activation = Activation::None;
    }
    twin
}

/// Linear scan over the steps: a value takes the free slot that fits it best, or the largest free
/// one, grown, or a new one.
fn assign_slots(values: &[Value], steps: &[Step], kept: &[ValueId]) -> (Vec<Option<SlotId>>, Vec<usize>) {
    // The step after which a value's slot is free again; none for what is kept.
    let mut last_use = vec![Some(0); values.len()];
    for (index, step) in steps.iter().enumerate() {
        for view in step.reads().chain([step.y]) {
            last_use[view.value] = Some(index);
        }
    }
    for &value in kept {
        last_use[value] = None;
    }

    let mut slot_of: Vec<Option<SlotId>> = vec![None; values.len()];
    let mut slots: Vec<usize> = Vec::new();
    let mut free: Vec<SlotId> = Vec::new();
    let mut take = |value: ValueId, free: &mut Vec<SlotId>| {
        let size = values[value].len();
        let slot = |i: &usize| slots[free[*i]];
        let fitting = (0..free.len()).filter(|i| slot(i) >= size).min_by_key(slot);
        let taken = match fitting.or_else(|| (0..free.len()).max_by_key(slot)) {
            Some(i) => free.swap_remove(i),
            None => {
                slots.push(0);
                slots.len() - 1
            }
        };
        slots[taken] = slots[taken].max(size);
        taken
    };
    slot_of[0] = Some(take(0, &mut free));
    for (index, step) in steps.iter().enumerate() {
        if slot_of[step.y.value].is_none() {
            slot_of[step.y.value] = Some(take(step.y.value, &mut free));
        }
        for value in step.reads().chain([step.y]).map(|view| view.value) {
            let ended = slot_of[value].filter(|_| last_use[value] == Some(index));
            // A value that is read twice ends once.
            free.extend(ended.filter(|slot| !free.contains(slot)));
        }
    }
    (slot_of, slots)
}
