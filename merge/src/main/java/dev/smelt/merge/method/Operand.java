package dev.smelt.merge.method;

import dev.smelt.formats.NonFiniteException;
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

  /**
   * Elements {@code at … at+count-1}, for surveys, which come before values are checked.
   *
   * @throws NonFiniteException when one of them is no finite number: a tensor that has one cannot
   *     be looked at as a whole
   */
  public void readFinite(long at, int count, double[] target) {
    view.read(at, count, target);
    for (int k = 0; k < count; k++) {
      if (!Double.isFinite(target[k])) {
        throw new NonFiniteException(
            "non-finite value in a tensor that is merged as a whole",
            where(),
            "found " + target[k] + " at index " + (at + k),
            "repair the model, or use --method linear");
      }
    }
  }
}
