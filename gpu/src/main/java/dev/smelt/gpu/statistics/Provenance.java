package dev.smelt.gpu.statistics;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What statistics were made from. Files made elsewhere may say less, so all of it is optional.
 *
 * @param estimator how, such as "fisher"
 * @param labels which labels define the gradients
 * @param examples N
 * @param tokens input tokens, padding not counted
 * @param seqLen longest example, in tokens
 * @param seed of sampled labels
 * @param modelSha256 content hash of the checkpoint, as {@code formats} computes it
 * @param dataSha256 of the data file
 * @param batch examples at a time, on which the last digits depend
 * @param device and threads it ran on, on which the last digits depend: "CPU, 2 threads"
 * @param precision standard errors of the sums of squared gradients
 * @param smeltVersion that wrote the file
 */
public record Provenance(
    Optional<String> estimator,
    Optional<Labels> labels,
    OptionalLong examples,
    OptionalLong tokens,
    OptionalInt seqLen,
    OptionalLong seed,
    Optional<String> modelSha256,
    Optional<String> dataSha256,
    OptionalLong batch,
    Optional<String> device,
    Optional<Precision> precision,
    Optional<String> smeltVersion) {

  /** Of statistics that are used where they were made. */
  static Provenance none() {
    return new Provenance(
        Optional.empty(),
        Optional.empty(),
        OptionalLong.empty(),
        OptionalLong.empty(),
        OptionalInt.empty(),
        OptionalLong.empty(),
        Optional.empty(),
        Optional.empty(),
        OptionalLong.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }
}
