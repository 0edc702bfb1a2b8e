package dev.smelt.compress.factorize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Spectrum;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against every way of spending the bytes. */
class GlobalAllocationTest {

  private static final RankGrid ANY = new RankGrid(1, false);

  private static SpectralLayer layer(int out, int in, double lossPerEnergy, double... values) {
    TensorInfo info = new TensorInfo("m.weight", DType.F32, Shape.of(out, in));
    MemorySegment bytes = MemorySegment.ofArray(new byte[4 * out * in]);
    Layer layer =
        new Layer(Path.of("model"), "m", new TensorView(info, bytes), false, Optional.empty());
    double norm = Math.sqrt(Arrays.stream(values).map(v -> v * v).sum());
    return new SpectralLayer(layer, new Spectrum(values, norm), lossPerEnergy, DType.F32);
  }

  private static double loss(SpectralLayer layer, RankChoice choice) {
    if (!(choice instanceof RankChoice.Factors(int rank))) {
      return 0;
    }
    double[] values = layer.spectrum().singularValues();
    double tail = 0;
    for (int k = rank; k < values.length; k++) {
      tail += values[k] * values[k];
    }
    return layer.lossPerEnergy() * tail;
  }

  private static long bytes(SpectralLayer layer, RankChoice choice) {
    int elements =
        choice instanceof RankChoice.Factors(int rank)
            ? rank * (layer.layer().out() + layer.layer().in())
            : layer.layer().out() * layer.layer().in();
    return 4L * elements;
  }

  private static List<RankChoice> all(SpectralLayer layer) {
    List<RankChoice> all = new ArrayList<>();
    for (int rank = 1; rank <= ANY.largest(layer.layer()); rank++) {
      all.add(new RankChoice.Factors(rank));
    }
    all.add(new RankChoice.Dense(""));
    return all;
  }

  /** The least loss within the bytes, over all combinations. */
  private static double best(List<SpectralLayer> layers, int from, long bytes) {
    if (from == layers.size()) {
      return 0;
    }
    double least = Double.POSITIVE_INFINITY;
    for (RankChoice choice : all(layers.get(from))) {
      long rest = bytes - bytes(layers.get(from), choice);
      if (rest >= 0) {
        least = Math.min(least, loss(layers.get(from), choice) + best(layers, from + 1, rest));
      }
    }
    return least;
  }

  private static double[] falling(int size, double ratio, SplittableRandom random) {
    double[] values = new double[size];
    double value = 1 + random.nextDouble();
    for (int k = 0; k < size; k++) {
      values[k] = value;
      value *= ratio + (1 - ratio) * random.nextDouble();
    }
    return values;
  }

  private static List<SpectralLayer> layers(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    return List.of(
        layer(12, 8, 0.5, falling(8, 0.3, random)),
        layer(9, 9, 3, falling(9, 0.6, random)),
        layer(7, 20, 0.02, falling(7, 0.9, random)));
  }

  /** Of a layer's options, those that no mixture of two others of it beats. */
  private static List<RankChoice> hull(SpectralLayer layer) {
    List<RankChoice> all = all(layer);
    List<RankChoice> hull = new ArrayList<>();
    for (int k = 0; k < all.size(); k++) {
      boolean beaten = false;
      for (int i = 0; i < k; i++) {
        for (int j = k + 1; j < all.size(); j++) {
          double along = bytes(layer, all.get(k)) - bytes(layer, all.get(i));
          double share = along / (bytes(layer, all.get(j)) - bytes(layer, all.get(i)));
          double mixed = (1 - share) * loss(layer, all.get(i)) + share * loss(layer, all.get(j));
          beaten |= mixed < loss(layer, all.get(k));
        }
      }
      if (!beaten) {
        hull.add(all.get(k));
      }
    }
    return hull;
  }

  private static long largestStep(SpectralLayer layer) {
    List<RankChoice> hull = hull(layer);
    long largest = 0;
    for (int k = 1; k < hull.size(); k++) {
      largest = Math.max(largest, bytes(layer, hull.get(k)) - bytes(layer, hull.get(k - 1)));
    }
    return largest;
  }

  /** Steps are indivisible, so what is left of the budget may be worth one step of one layer. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void nothingBetterFitsThanTheBestWithAStepLess(long seed) {
    List<SpectralLayer> layers = layers(seed);
    long dense = layers.stream().mapToLong(SpectralLayer::denseBytes).sum();
    for (double share = 0.25; share < 1; share += 0.0625) {
      long budget = (long) (share * dense);
      List<RankChoice> chosen = new GlobalAllocation(layers, ANY).within(budget, "");
      double loss = 0;
      long bytes = 0;
      for (int i = 0; i < layers.size(); i++) {
        loss += loss(layers.get(i), chosen.get(i));
        bytes += bytes(layers.get(i), chosen.get(i));
      }
      assertThat(bytes).isLessThanOrEqualTo(budget);
      long step = layers.stream().mapToLong(GlobalAllocationTest::largestStep).max().orElseThrow();
      assertThat(loss)
          .as("share %s", share)
          .isGreaterThanOrEqualTo(best(layers, 0, budget) * (1 - 1e-12))
          .isLessThanOrEqualTo(best(layers, 0, budget - step) * (1 + 1e-12));
    }
  }

  /** At budgets where steps end exactly, it is the optimum itself. */
  @Test
  void whereStepsEndItIsOptimal() {
    List<SpectralLayer> layers =
        List.of(
            layer(10, 10, 1, 8, 4, 2, 1, 1, 0, 0, 0, 0, 0),
            layer(10, 10, 1, 6, 3, 1.5, 0.5, 0, 0, 0, 0, 0, 0));
    for (int steps = 2; steps <= 8; steps++) {
      long budget = steps * 80L;
      List<RankChoice> chosen = new GlobalAllocation(layers, ANY).within(budget, "");
      double loss = loss(layers.get(0), chosen.get(0)) + loss(layers.get(1), chosen.get(1));
      assertThat(loss).isCloseTo(best(layers, 0, budget), within(1e-12));
    }
  }

  @Test
  void everythingIsDenseWhereItFits() {
    List<SpectralLayer> layers = layers(6);
    long dense = layers.stream().mapToLong(SpectralLayer::denseBytes).sum();
    assertThat(new GlobalAllocation(layers, ANY).within(dense, ""))
        .allSatisfy(choice -> assertThat(choice).isInstanceOf(RankChoice.Dense.class));
  }

  @Test
  void ranksAreMultiples() {
    List<SpectralLayer> layers = layers(7);
    long dense = layers.stream().mapToLong(SpectralLayer::denseBytes).sum();
    assertThat(new GlobalAllocation(layers, new RankGrid(2, false)).within(dense * 3 / 4, ""))
        .allSatisfy(
            choice -> {
              if (choice instanceof RankChoice.Factors(int rank)) {
                assertThat(rank % 2).isZero();
              }
            });
  }

  @Test
  void aBudgetBelowTheSmallestFactorsIsRefused() {
    List<SpectralLayer> layers = layers(8);
    long least = layers.stream().mapToLong(one -> one.bytesAt(1)).sum();
    GlobalAllocation allocation = new GlobalAllocation(layers, ANY);
    assertThat(allocation.within(least, "")).containsOnly(new RankChoice.Factors(1));
    assertThatThrownBy(() -> allocation.within(least - 3, "--budget 7"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--budget 7 is too small")
        .hasMessageContaining("take 3 bytes more");
  }

  @Test
  void aLayerThatMattersMoreGetsMore() {
    SpectralLayer little = layer(10, 10, 1, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0);
    SpectralLayer much = layer(10, 10, 100, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0);
    assertThat(new GlobalAllocation(List.of(little, much), ANY).within(5 * 80, ""))
        .containsExactly(new RankChoice.Factors(1), new RankChoice.Factors(4));
  }
}
