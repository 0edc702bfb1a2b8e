package dev.smelt.merge;

import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import java.util.List;

/**
 * What will be written, tensor by tensor, and from what. Everything that can be known without
 * reading data has been checked when a plan exists.
 *
 * @param models how many are merged
 * @param merged tensors to be combined, in the first model's order
 * @param copied tensors taken over from the first model
 * @param dropped tensors of later models that have no place in the output
 * @param notes decisions the user should know of
 */
public record MergePlan(
    int models,
    List<Merged> merged,
    List<Copied> copied,
    List<Dropped> dropped,
    List<String> notes) {

  public MergePlan {
    merged = List.copyOf(merged);
    copied = List.copyOf(copied);
    dropped = List.copyOf(dropped);
    notes = List.copyOf(notes);
  }

  /**
   * @param output name, shape and type as written
   * @param theta the tensor of each model, of one shape
   * @param fisher its diagonal Fisher information in each model; empty for methods without
   */
  public record Merged(TensorInfo output, List<TensorView> theta, List<TensorView> fisher) {}

  /**
   * @param others the same tensor of later models where it must be equal in all of them
   * @param reason why it is not merged
   */
  public record Copied(TensorView source, List<TensorView> others, String reason) {}

  /**
   * @param model counted from 1
   */
  public record Dropped(int model, TensorInfo tensor, String reason) {}
}
