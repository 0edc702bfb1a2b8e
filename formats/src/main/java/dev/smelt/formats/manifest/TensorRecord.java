package dev.smelt.formats.manifest;

import org.jspecify.annotations.Nullable;

/**
 * What was done to one tensor, with its certificate: numbers computed after the fact from what was
 * written. Parts that do not apply are null and left out of the file.
 *
 * @param name in the input; of what {@code expand} made, in the output
 * @param action "merged", "factorized", "expanded", "kept", "dropped"
 * @param reason why, where the action is not what was asked for
 * @param rank of the factors
 * @param relativeError ‖W − Ŵ‖ / ‖W‖ (Frobenius) of the written, rounded tensor
 * @param weightedRelativeError ‖L(W − Ŵ)R‖ / ‖LWR‖ in the metric that chose the factors
 * @param bytesBefore of the tensor in the input
 * @param bytesAfter of everything that replaces it
 */
public record TensorRecord(
    String name,
    String action,
    @Nullable String reason,
    @Nullable Integer rank,
    @Nullable Double relativeError,
    @Nullable Double weightedRelativeError,
    long bytesBefore,
    long bytesAfter) {

  public static final String MERGED = "merged";
  public static final String FACTORIZED = "factorized";
  public static final String EXPANDED = "expanded";
  public static final String KEPT = "kept";
  public static final String DROPPED = "dropped";

  /** A tensor that went through one of the methods and has no certificate of its own. */
  public static TensorRecord of(String name, String action, long bytesBefore, long bytesAfter) {
    return new TensorRecord(name, action, null, null, null, null, bytesBefore, bytesAfter);
  }

  /** A tensor that is in the output as it was, but perhaps for its type. */
  public static TensorRecord kept(
      String name, @Nullable String reason, long bytesBefore, long bytesAfter) {
    return new TensorRecord(name, KEPT, reason, null, null, null, bytesBefore, bytesAfter);
  }

  /** A tensor of the input that has no place in the output. */
  public static TensorRecord dropped(String name, String reason, long bytes) {
    return new TensorRecord(name, DROPPED, reason, null, null, null, bytes, 0);
  }
}
