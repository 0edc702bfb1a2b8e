package dev.smelt.formats.manifest;

import org.jspecify.annotations.Nullable;

/**
 * What was done to one tensor, with its certificate: numbers computed after the fact from what was
 * written. Parts that do not apply are null and left out of the file.
 *
 * @param name in the input; of what {@code expand} made, in the output
 * @param action "merged", "factorized", "clustered", "expanded", "delta", "pruned", "shrunk",
 *     "tuned", "dampened", "packed", "unchanged", "kept", "dropped"
 * @param reason why, where the action is not what was asked for
 * @param rank of the factors
 * @param relativeError ‖W − Ŵ‖ / ‖W‖ (Frobenius) of the written, rounded tensor
 * @param weightedRelativeError ‖L(W − Ŵ)R‖ / ‖LWR‖ in the metric that chose the factors
 * @param route how the singular directions were computed: "gram", "random", "svd"
 * @param shrinkage how far Gram matrices had to be moved toward a multiple of I, beyond damping
 * @param predictedLoss by how many nats the metric predicts that the loss of an example rises (of a
 *     window of text: the sum over its tokens), where it does
 * @param deltaError ‖Δ − BA‖ / ‖Δ‖ of what fine-tuning changed, Δ = W − W_base; then {@code
 *     relativeError} is ‖Δ − BA‖ / ‖W‖ and the weighted one is of Δ
 * @param sparsity of what was pruned
 * @param dampened what of a tensor was lowered
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
    @Nullable String route,
    @Nullable Double shrinkage,
    @Nullable Double predictedLoss,
    @Nullable Double deltaError,
    @Nullable Sparsity sparsity,
    @Nullable Dampened dampened,
    long bytesBefore,
    long bytesAfter) {

  /**
   * How many weights are zero.
   *
   * @param weights of the written tensor
   * @param zeros among them, those that were zero before included
   */
  public record Sparsity(long weights, long zeros) {}

  /**
   * How many weights were lowered.
   *
   * @param weights of the tensor
   * @param lowered among them
   * @param zeroed among those, down to 0
   * @param share lowered / weights
   */
  public record Dampened(long weights, long lowered, long zeroed, double share) {

    public static Dampened of(long weights, long lowered, long zeroed) {
      double share = weights == 0 ? 0 : (double) lowered / weights;
      return new Dampened(weights, lowered, zeroed, share);
    }
  }

  public static final String MERGED = "merged";
  public static final String FACTORIZED = "factorized";
  public static final String CLUSTERED = "clustered";
  public static final String EXPANDED = "expanded";
  public static final String DELTA = "delta";
  public static final String PRUNED = "pruned";
  public static final String DAMPENED = "dampened";
  public static final String UNCHANGED = "unchanged";
  public static final String KEPT = "kept";
  public static final String PACKED = "packed";
  public static final String DROPPED = "dropped";

  /** Rows or columns of it are left out. */
  public static final String SHRUNK = "shrunk";

  /** All of it is there, with the values that training gave it. */
  public static final String TUNED = "tuned";

  /** A tensor that was neither pruned nor dampened. */
  public TensorRecord(
      String name,
      String action,
      @Nullable String reason,
      @Nullable Integer rank,
      @Nullable Double relativeError,
      @Nullable Double weightedRelativeError,
      @Nullable String route,
      @Nullable Double shrinkage,
      @Nullable Double predictedLoss,
      @Nullable Double deltaError,
      long bytesBefore,
      long bytesAfter) {
    this(
        name,
        action,
        reason,
        rank,
        relativeError,
        weightedRelativeError,
        route,
        shrinkage,
        predictedLoss,
        deltaError,
        null,
        null,
        bytesBefore,
        bytesAfter);
  }

  /** A tensor that is no change of another one. */
  public TensorRecord(
      String name,
      String action,
      @Nullable String reason,
      @Nullable Integer rank,
      @Nullable Double relativeError,
      @Nullable Double weightedRelativeError,
      @Nullable String route,
      @Nullable Double shrinkage,
      @Nullable Double predictedLoss,
      long bytesBefore,
      long bytesAfter) {
    this(
        name,
        action,
        reason,
        rank,
        relativeError,
        weightedRelativeError,
        route,
        shrinkage,
        predictedLoss,
        null,
        bytesBefore,
        bytesAfter);
  }

  /**
   * A tensor that lost weights.
   *
   * @param outputError the error that it has in the metric of its inputs, if that was made small
   */
  public static TensorRecord pruned(
      String name,
      Sparsity sparsity,
      double relativeError,
      @Nullable Double outputError,
      @Nullable Double predictedLoss,
      long bytesBefore,
      long bytesAfter) {
    return new TensorRecord(
        name,
        PRUNED,
        null,
        null,
        relativeError,
        outputError,
        null,
        null,
        predictedLoss,
        null,
        sparsity,
        null,
        bytesBefore,
        bytesAfter);
  }

  /** A tensor some of whose weights were lowered. */
  public static TensorRecord dampened(
      String name, Dampened dampened, double relativeError, long bytesBefore, long bytesAfter) {
    return new TensorRecord(
        name,
        DAMPENED,
        null,
        null,
        relativeError,
        null,
        null,
        null,
        null,
        null,
        null,
        dampened,
        bytesBefore,
        bytesAfter);
  }

  /** A tensor that went through one of the methods and has no certificate of its own. */
  public static TensorRecord of(String name, String action, long bytesBefore, long bytesAfter) {
    return plain(name, action, null, bytesBefore, bytesAfter);
  }

  /** A tensor that is in the output as it was, but perhaps for its type. */
  public static TensorRecord kept(
      String name, @Nullable String reason, long bytesBefore, long bytesAfter) {
    return plain(name, KEPT, reason, bytesBefore, bytesAfter);
  }

  /** A tensor of the input that has no place in the output. */
  public static TensorRecord dropped(String name, String reason, long bytes) {
    return plain(name, DROPPED, reason, bytes, 0);
  }

  /**
   * A tensor of which rows or columns are left out.
   *
   * @param what is left out, for people
   * @param outputError √(E‖Wx − Ŵx‖² / E‖Wx‖²) of a matrix that was fitted to make up for that
   */
  public static TensorRecord shrunk(
      String name, String what, @Nullable Double outputError, long bytesBefore, long bytesAfter) {
    return new TensorRecord(
        name, SHRUNK, what, null, null, outputError, null, null, null, bytesBefore, bytesAfter);
  }

  /**
   * A tensor that was trained.
   *
   * @param action {@link #TUNED}, or {@link #SHRUNK} where rows or columns are left out as well
   * @param relativeError of what stays of it
   */
  public static TensorRecord tuned(
      String name,
      String action,
      @Nullable String reason,
      double relativeError,
      long bytesBefore,
      long bytesAfter) {
    return new TensorRecord(
        name, action, reason, null, relativeError, null, null, null, null, bytesBefore, bytesAfter);
  }

  private static TensorRecord plain(
      String name, String action, @Nullable String reason, long bytesBefore, long bytesAfter) {
    return new TensorRecord(
        name, action, reason, null, null, null, null, null, null, bytesBefore, bytesAfter);
  }
}
