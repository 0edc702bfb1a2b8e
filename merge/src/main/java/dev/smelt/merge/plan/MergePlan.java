package dev.smelt.merge.plan;

import dev.smelt.formats.TensorInfo;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.Operand;
import dev.smelt.merge.method.Operands;
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

  /** A tensor of the output. */
  public sealed interface Planned {

    /** Name, shape and type as written. */
    TensorInfo output();
  }

  /** What is combined, and how. */
  public record Merged(Operands operands, MergeMethod method) implements Planned {

    @Override
    public TensorInfo output() {
      return operands.output();
    }
  }

  /**
   * @param others the same tensor of later models, where it must be equal in all that have it
   */
  public record Copied(TensorInfo output, Operand source, Cause cause, List<Operand> others)
      implements Planned {

    public Copied {
      others = List.copyOf(others);
    }

    /** Why it is not merged. */
    public String reason() {
      return cause.text;
    }
  }

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
