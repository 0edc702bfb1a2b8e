package dev.smelt.formats.peft;

import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import java.util.Optional;

/**
 * A tensor of a base model with an adapter, not yet computed: {@code start}, to which s·B·A or a
 * scaled bias is added.
 *
 * @param name as the base has it; as the adapter has it where the base has none
 * @param start the base's tensor, or what the adapter holds in its place
 * @param inAdapter whether {@code start} is the adapter's
 * @param factors what is added to it
 * @param transposed whether B·A is [out, in] and the tensor [in, out]
 * @param shift a bias that is added, before it is scaled
 * @param scale of the shift
 */
public record AdaptedTensor(
    String name,
    TensorView start,
    boolean inAdapter,
    Optional<AdapterFactors> factors,
    boolean transposed,
    Optional<TensorView> shift,
    double scale) {

  static AdaptedTensor of(String name, TensorView start, boolean inAdapter) {
    return new AdaptedTensor(name, start, inAdapter, Optional.empty(), false, Optional.empty(), 1);
  }

  AdaptedTensor with(AdapterFactors change, boolean isTransposed) {
    return new AdaptedTensor(
        name, start, inAdapter, Optional.of(change), isTransposed, shift, scale);
  }

  AdaptedTensor with(TensorView added, double by) {
    return new AdaptedTensor(name, start, inAdapter, factors, transposed, Optional.of(added), by);
  }

  AdaptedTensor named(String other) {
    return new AdaptedTensor(other, start, inAdapter, factors, transposed, shift, scale);
  }

  /** True where nothing is to be computed. */
  public boolean isAsStored() {
    return factors.isEmpty() && shift.isEmpty();
  }

  /** In the type of {@code start}. */
  public TensorInfo info() {
    return new TensorInfo(name, start.dtype(), start.shape());
  }
}
