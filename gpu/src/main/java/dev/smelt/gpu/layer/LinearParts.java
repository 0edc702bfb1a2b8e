package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDManager;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.Slice;
import dev.smelt.gpu.layer.Linear.Inputs;
import dev.smelt.gpu.layer.Linear.Panel;
import dev.smelt.gpu.layer.Weights.Bias;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Builds the linear layer whose matrix is stored in parts.
 *
 * @param manager will own what says where outputs or inputs are
 * @param module inside {@code weights}
 */
record LinearParts(Weights weights, NDManager manager, String module, LowRank.Split split) {

  /** Of parts that are rows of the whole. */
  Linear below(long in, Optional<Parameter> bias) {
    List<Linear> parts = new ArrayList<>();
    long[] order = new long[split.size()];
    boolean ordered = true;
    int at = 0;
    for (LowRank.Part part : split.parts()) {
      parts.add(part(part, in, part.slice().size()));
      for (int row : part.slice().indices()) {
        ordered &= row == at;
        order[row] = at++;
      }
    }
    return new Linear.Split(
        parts, ordered ? Optional.empty() : Optional.of(manager.create(order)), bias);
  }

  /** Of parts that are columns of the whole. */
  Linear beside(long out, Optional<Parameter> bias) {
    List<Panel> panels = new ArrayList<>();
    for (LowRank.Part part : split.parts()) {
      panels.add(new Panel(part(part, part.slice().size(), out), inputs(part.slice())));
    }
    return new Linear.Panels(panels, bias);
  }

  private Linear part(LowRank.Part part, long in, long out) {
    return weights.linear(LowRank.part(module, part.name()), in, out, Layout.OUT_IN, Bias.NO);
  }

  private Inputs inputs(Slice slice) {
    return slice.isRange()
        ? new Inputs.Range(slice.first(), slice.end())
        : new Inputs.Listed(manager.create(IntStream.of(slice.indices()).asLongStream().toArray()));
  }
}
