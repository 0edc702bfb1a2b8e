package dev.smelt.compress.expand;

import dev.smelt.compress.expand.DenseTensor.Product;
import dev.smelt.compress.expand.DenseTensor.Stored;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.LowRank;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A checkpoint seen as the dense model it stands for: factors appear as the matrix they multiply
 * to, under its original name.
 *
 * @param tensors in the checkpoint's order
 * @param isFactorized true when at least one is stored as factors
 */
public record DenseModel(List<DenseTensor> tensors, boolean isFactorized) {

  public DenseModel {
    tensors = List.copyOf(tensors);
  }

  /**
   * @throws NotFoundException when a factor is missing
   * @throws CorruptException when factors do not fit each other
   */
  public static DenseModel of(Checkpoint checkpoint) {
    LowRank lowRank = LowRank.of(checkpoint);
    Map<String, Product> products = new HashMap<>();
    Set<String> absorbed = new HashSet<>();
    Map<String, String> renamed = new HashMap<>();
    lowRank
        .modules()
        .forEach(
            (name, module) -> {
              products.put(LowRank.factorA(name), product(checkpoint, name, module));
              absorbed.add(LowRank.factorB(name));
              renamed.put(LowRank.bias(name), name + ".bias");
            });
    List<DenseTensor> tensors = new ArrayList<>();
    for (TensorView tensor : checkpoint.tensors()) {
      Product product = products.get(tensor.name());
      if (product != null) {
        tensors.add(product);
      } else if (!absorbed.contains(tensor.name())) {
        tensors.add(new Stored(renamed.getOrDefault(tensor.name(), tensor.name()), tensor));
      }
    }
    return new DenseModel(tensors, !lowRank.modules().isEmpty());
  }

  private static Product product(Checkpoint checkpoint, String name, LowRank.Module module) {
    TensorView a = checkpoint.tensor(LowRank.factorA(name));
    TensorView b = checkpoint.tensor(LowRank.factorB(name));
    boolean fits =
        a.dtype().isFloat()
            && b.dtype().isFloat()
            && a.shape().isMatrix()
            && b.shape().isMatrix()
            && a.shape().size(1) == module.rank()
            && b.shape().size(0) == module.rank();
    if (!fits) {
      throw new CorruptException(
          "factors do not fit each other",
          checkpoint.path() + "|" + name,
          String.format(
              "expected floats [out,%d] and [%d,in], found %s %s and %s %s",
              module.rank(),
              module.rank(),
              a.dtype().label(),
              a.shape(),
              b.dtype().label(),
              b.shape()),
          "make the checkpoint again");
    }
    return new Product(name + ".weight", a, b, module.transposed());
  }
}
