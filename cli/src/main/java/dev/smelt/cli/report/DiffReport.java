package dev.smelt.cli.report;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Two checkpoints compared, and perhaps others beside them. Its JSON form is the output of {@code
 * smelt diff --json}; names of components are stable keys. Absent parts are null and left out.
 *
 * @param before the reference
 * @param after what it became
 * @param also further checkpoints for the table and the plot of accuracy against size
 * @param tensors every tensor of either dense model, in the order of {@code before}
 * @param shared bases that several matrices of {@code after} have in common
 * @param notes decisions and oddities the reader should know of, one sentence each
 * @param commands how to make this report again
 */
public record DiffReport(
    Model before,
    Model after,
    List<Model> also,
    List<TensorDiff> tensors,
    List<SharedBasis> shared,
    List<String> notes,
    List<String> commands) {

  public DiffReport {
    also = List.copyOf(also);
    tensors = List.copyOf(tensors);
    shared = List.copyOf(shared);
    notes = List.copyOf(notes);
    commands = List.copyOf(commands);
  }

  /** Without shared bases. */
  public DiffReport(
      Model before,
      Model after,
      List<Model> also,
      List<TensorDiff> tensors,
      List<String> notes,
      List<String> commands) {
    this(before, after, also, tensors, List.of(), notes, commands);
  }

  /**
   * A basis that matrices share.
   *
   * @param basis name of its tensor
   * @param side "output" (A of W = AB) or "input" (B)
   * @param members their modules, of a matrix in parts the parts
   * @param largestError the largest relative error of the matrices that they are or are parts of,
   *     where all can be compared
   * @param bytesBefore of the dense matrices, or those parts of them
   * @param bytesAfter of the basis, all coefficients, and matrices that they are a change of
   */
  public record SharedBasis(
      String basis,
      String side,
      List<String> members,
      int rank,
      @Nullable Double largestError,
      long bytesBefore,
      long bytesAfter) {

    public SharedBasis {
      members = List.copyOf(members);
    }
  }

  /**
   * One checkpoint and, where data was given, how well it does on it.
   *
   * @param name short, for tables and plots
   * @param path as given
   * @param method what made it, from its manifest: "merge fisher", "factorize fisher keep 0.5"
   * @param sha256 of its content
   * @param bytes of its tensors as stored, of packed ones those of the plain tensors
   * @param parameters stored elements
   * @param packedBytes of its tensors as they lie in the files; null where none is packed
   * @param loss nats per token, or per example for classifiers; the mean over the data sets
   * @param perplexity exp(loss), for language models
   * @param accuracy of the next token or of the class; the mean over the data sets
   * @param tokensPerSecond of the evaluation, where tokens are predicted; the mean likewise
   * @param examplesPerSecond of the evaluation, where examples have one label; the mean likewise
   * @param scores one per data set
   */
  public record Model(
      String name,
      String path,
      @Nullable String method,
      String sha256,
      long bytes,
      long parameters,
      @Nullable Long packedBytes,
      @Nullable Double loss,
      @Nullable Double perplexity,
      @Nullable Double accuracy,
      @Nullable Double tokensPerSecond,
      @Nullable Double examplesPerSecond,
      List<Score> scores) {

    public Model {
      scores = List.copyOf(scores);
    }

    /** Bytes of its tensors in the files: what a model costs to keep and to send. */
    long fileBytes() {
      return packedBytes == null ? bytes : packedBytes;
    }
  }

  /**
   * A model on one data set.
   *
   * @param tokens none where examples are no sequences of tokens
   */
  public record Score(
      String data,
      double loss,
      @Nullable Double perplexity,
      double accuracy,
      long examples,
      @Nullable Long tokens,
      @Nullable Double tokensPerSecond,
      @Nullable Double examplesPerSecond) {}

  /**
   * One tensor of the dense models.
   *
   * @param status "same", "changed", "added" or "removed"
   * @param shape of the dense tensor
   * @param relativeError ‖before − after‖ / ‖before‖ (Frobenius), null when only one side has it
   * @param rank of the factors it is stored as in {@code after}
   * @param sparsity zeros / elements in {@code after}; null when removed
   * @param packedBytes of {@code after} in its files; null where it is not packed
   */
  public record TensorDiff(
      String name,
      String status,
      String shape,
      @Nullable Double relativeError,
      @Nullable Integer rank,
      @Nullable Double sparsity,
      long bytesBefore,
      long bytesAfter,
      @Nullable Long packedBytes) {

    /** Of a tensor that is not packed. */
    public TensorDiff(
        String name,
        String status,
        String shape,
        @Nullable Double relativeError,
        @Nullable Integer rank,
        @Nullable Double sparsity,
        long bytesBefore,
        long bytesAfter) {
      this(name, status, shape, relativeError, rank, sparsity, bytesBefore, bytesAfter, null);
    }
  }
}
