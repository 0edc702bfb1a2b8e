package dev.smelt.compress.sharing;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.TensorRole;
import java.util.List;
import java.util.OptionalInt;

/**
 * Blocks of many columns, cut into panels of fewer that are blocks of their own.
 *
 * @param width of a panel, the last may be narrower; absent: blocks stay whole
 */
public record Panels(OptionalInt width) {

  public static final Panels NONE = new Panels(OptionalInt.empty());

  /**
   * @throws UsageException when the width is none
   */
  public Panels {
    if (width.isPresent() && width.getAsInt() < 1) {
      throw new UsageException("--panel " + width.getAsInt() + " is out of range", "use 1 or more");
    }
  }

  /** The panels of a layer; itself where it has no more columns than one. */
  List<Layer> of(Layer layer, Side side) {
    return width.isEmpty() ? List.of(layer) : layer.panels(side.columns(), width.getAsInt());
  }

  List<Subject> of(Subject subject, Side side) {
    return of(subject.layer(), side).stream().map(subject::part).toList();
  }

  /**
   * @throws UsageException when a layer is a table, whose rows are looked up and not multiplied
   */
  void requireMatrices(Checkpoint checkpoint, List<Layer> layers) {
    if (width.isEmpty()) {
      return;
    }
    Architecture architecture = Architecture.of(checkpoint.config());
    for (Layer layer : layers) {
      if (architecture.role(layer.weight().info()) == TensorRole.EMBEDDING) {
        throw new UsageException(
            "cannot cut a table into panels: " + layer.module() + " of " + checkpoint.path(),
            "pass --exclude " + layer.weight().name());
      }
    }
  }
}
