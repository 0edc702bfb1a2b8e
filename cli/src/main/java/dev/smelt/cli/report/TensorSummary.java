package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.TensorDiff;
import dev.smelt.cli.text.Format;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The tensors of a report, parted into those that changed and those that did not. */
record TensorSummary(List<TensorDiff> different, List<TensorDiff> same) {

  static TensorSummary of(List<TensorDiff> tensors) {
    return new TensorSummary(
        tensors.stream().filter(tensor -> !isSame(tensor)).toList(),
        tensors.stream().filter(TensorSummary::isSame).toList());
  }

  private static boolean isSame(TensorDiff tensor) {
    return tensor.status().equals("same");
  }

  boolean hasRanks() {
    return different.stream().anyMatch(tensor -> tensor.rank() != null);
  }

  boolean hasSparsity() {
    return different.stream().anyMatch(tensor -> isPositive(tensor.sparsity()));
  }

  boolean hasPacked() {
    return different.stream().anyMatch(tensor -> tensor.packedBytes() != null);
  }

  static boolean isPositive(@Nullable Double value) {
    return value != null && value > 0;
  }

  /** One line: how many tensors are the same. */
  String sameLine() {
    if (same.isEmpty()) {
      return "No tensor is the same in both.";
    }
    long bytes = same.stream().mapToLong(TensorDiff::bytesAfter).sum();
    String verb = same.size() == 1 ? " is" : " are";
    return Format.plural(same.size(), "tensor") + verb + " the same (" + Format.bytes(bytes) + ").";
  }

  /** One line: how many changed, came or went. */
  String differentLine() {
    return Format.plural(count("changed"), "tensor")
        + " changed"
        + others("added")
        + others("removed")
        + ".";
  }

  /** The error as shown, or what befell the tensor instead. */
  static String error(TensorDiff tensor) {
    Double error = tensor.relativeError();
    if (error != null) {
      return Format.error(error);
    }
    return tensor.status().equals("changed") ? "" : tensor.status();
  }

  static String rank(TensorDiff tensor) {
    Integer rank = tensor.rank();
    return rank == null ? "" : Format.count(rank);
  }

  static String sparsity(TensorDiff tensor) {
    Double sparsity = tensor.sparsity();
    return sparsity == null || sparsity == 0 ? "" : Format.percent(sparsity, 1);
  }

  static String packed(TensorDiff tensor) {
    Long packed = tensor.packedBytes();
    return packed == null ? "" : Format.bytes(packed);
  }

  private String others(String status) {
    long count = count(status);
    return count == 0 ? "" : ", " + Format.count(count) + " " + status;
  }

  private long count(String status) {
    return different.stream().filter(tensor -> tensor.status().equals(status)).count();
  }
}
