package dev.smelt.gpu.gradient;

import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Use;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/** Sorts what a tape has recorded by parameter, in the order of the forward pass. */
public final class BatchGradients {

  private BatchGradients() {}

  /** After a backward pass of {@code batch}. */
  public static List<ParameterGradients> of(Tape tape, Batch batch, ScriptFunctions functions) {
    Map<Parameter, List<UsedWith>> byParameter = new LinkedHashMap<>();
    for (Tape.Tap tap : tape.taps()) {
      for (Use use : tap.uses()) {
        byParameter
            .computeIfAbsent(use.parameter(), key -> new ArrayList<>())
            .add(new UsedWith(use, tap.delta()));
      }
    }
    Positions positions = new Positions(batch);
    List<ParameterGradients> gradients = new ArrayList<>();
    byParameter.forEach(
        (parameter, uses) ->
            gradients.add(new ParameterGradients(parameter, uses, positions, functions)));
    return gradients;
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
