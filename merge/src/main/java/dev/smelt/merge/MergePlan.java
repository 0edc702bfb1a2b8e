package dev.smelt.merge;

import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import java.nio.file.Path;
import java.util.List;

/**
 * What will be written, tensor by tensor, and from what. Everything that can be known without
 * reading data has been checked when a plan exists.
 *
 * @param models where they were opened from, in the order given
 * @param tensors of the output, in the first model's order
 * @param dropped tensors of later models that have no place in the output
 * @param notes decisions the user should know of
 */
public record MergePlan(
    List<Path> models, List<Planned> tensors, List<Dropped> dropped, List<String> notes) {

  public MergePlan {
    models = List.copyOf(models);
    tensors = List.copyOf(tensors);
    dropped = List.copyOf(dropped);
    notes = List.copyOf(notes);
  }

  /** The tensors to be combined, in the first model's order. */
  public List<Merged> merged() {
    return tensors.stream().filter(Merged.class::isInstance).map(Merged.class::cast).toList();
  }

  /** The tensors taken over from the first model, in its order. */
  public List<Copied> copied() {
    return tensors.stream().filter(Copied.class::isInstance).map(Copied.class::cast).toList();
  }

  /** Where a tensor is, for refusals. */
  String where(int model, TensorView tensor) {
    return models.get(model) + "|" + tensor.name();
  }

  /** A tensor of the output. */
  public sealed interface Planned {

    /** Name, shape and type as written. */
    TensorInfo output();
  }

  /**
   * @param theta the tensor of each model, of one shape
   * @param fisher its diagonal Fisher information in each model; empty for methods without
   */
  public record Merged(TensorInfo output, List<TensorView> theta, List<TensorView> fisher)
      implements Planned {

    public Merged {
      theta = List.copyOf(theta);
      fisher = List.copyOf(fisher);
    }
  }

  /**
   * @param others the same tensor of later models, where it must be equal in all that have it
   */
  public record Copied(TensorInfo output, TensorView source, Cause cause, List<Other> others)
      implements Planned {

    public Copied {
      others = List.copyOf(others);
    }

    /** Why it is not merged. */
    public String reason() {
      return cause.text;
    }
  }

  /**
   * @param model counted from 0
   */
  public record Other(int model, TensorView view) {}

  /** Why a tensor is not merged. */
  public enum Cause {
    UNSHARED_HEAD("a head the models do not share; the first model's"),
    BUFFER("a buffer, equal in all models that have it"),
    NOT_FLOAT("not floating-point, equal in all models");

    private final String text;

    Cause(String text) {
      this.text = text;
    }
  }

  /**
   * @param model counted from 1
   */
  public record Dropped(int model, TensorInfo tensor, String reason) {}
}
