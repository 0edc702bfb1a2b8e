package dev.smelt.merge.method;

import dev.smelt.formats.TensorView;
import java.nio.file.Path;

/**
 * A tensor of one of the models.
 *
 * @param origin the file or folder it is in, as the user named it
 */
public record Operand(Path origin, TensorView view) {

  /** Where it is, for refusals. */
  public String where() {
    return origin + "|" + view.name();
  }
}
