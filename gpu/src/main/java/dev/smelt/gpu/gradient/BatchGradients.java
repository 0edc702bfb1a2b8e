package dev.smelt.gpu.gradient;

import ai.djl.ndarray.NDArray;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Use;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/** Sorts what a tape has recorded by parameter, in the order of the forward pass. */
public final class BatchGradients {

  private BatchGradients() {}

  /** After a backward pass of {@code batch}. */
  public static List<ParameterGradients> of(Tape tape, Batch batch, ScriptFunctions functions) {
    return sorted(tape, batch, functions, true);
  }

  /** After a forward pass of {@code batch} alone: what does not depend on gradients is there. */
  public static List<ParameterGradients> inputs(Tape tape, Batch batch, ScriptFunctions functions) {
    return sorted(tape, batch, functions, false);
  }

  private static List<ParameterGradients> sorted(
      Tape tape, Batch batch, ScriptFunctions functions, boolean gradients) {
    Map<Parameter, List<UsedWith>> byParameter = new LinkedHashMap<>();
    for (Tape.Tap tap : tape.taps()) {
      Optional<NDArray> delta = gradients ? Optional.of(tap.delta()) : Optional.empty();
      for (Use use : tap.uses()) {
        byParameter
            .computeIfAbsent(use.parameter(), key -> new ArrayList<>())
            .add(new UsedWith(use, delta));
      }
    }
    Positions positions = new Positions(batch);
    List<ParameterGradients> found = new ArrayList<>();
    byParameter.forEach(
        (parameter, uses) ->
            found.add(new ParameterGradients(parameter, uses, positions, functions)));
    return found;
  }

  /** How each parameter was used, known after the forward pass. */
  public static SequencedMap<String, List<Use>> uses(Tape tape) {
    SequencedMap<String, List<Use>> uses = new LinkedHashMap<>();
    for (Tape.Tap tap : tape.taps()) {
      for (Use use : tap.uses()) {
        uses.computeIfAbsent(use.parameter().name(), key -> new ArrayList<>()).add(use);
      }
    }
    return uses;
  }
}
