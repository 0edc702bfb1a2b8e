package dev.smelt.compress.expand;

import dev.smelt.compress.expand.DenseTensor.Product;
import dev.smelt.compress.expand.DenseTensor.Stored;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.FactoredTensor;
import dev.smelt.formats.model.LowRank;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A checkpoint seen as the dense model it stands for: factors and parts appear as the tensor that
 * they make, under its original name. So does a matrix with a change of it, in the matrix's place.
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
    Map<String, Product> products = new HashMap<>();
    Set<String> absorbed = new HashSet<>();
    List<FactoredTensor> factored = FactoredTensor.of(checkpoint);
    BasisShares shares = BasisShares.of(factored);
    for (FactoredTensor factors : factored) {
      BasisShares.Spent spent = shares.next(factors);
      products.put(
          factors.ownTensors().getFirst().name(),
          new Product(factors, spent.bytes(), spent.elements(), spent.fileBytes()));
      factors.tensors().forEach(view -> absorbed.add(view.name()));
    }
    Map<String, String> renamed = new HashMap<>();
    LowRank lowRank = LowRank.of(checkpoint);
    lowRank
        .modules()
        .forEach(
            (module, entry) -> renamed.put(entry.nameOfBias(module), LowRank.denseBias(module)));
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
}
