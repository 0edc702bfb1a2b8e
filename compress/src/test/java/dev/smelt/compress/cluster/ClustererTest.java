package dev.smelt.compress.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.cluster.ClusterOptions.Algorithm;
import dev.smelt.compress.cluster.ClusterOptions.Order;
import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Progress;
import dev.smelt.formats.UsageException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ClustererTest {

  /** Of each algorithm; many more with -Dsmelt.families. */
  private static final int FAMILIES = Integer.getInteger("smelt.families", 200);

  private static List<Cluster> cluster(Family family, ClusterOptions options) {
    return new Clusterer(TestDevice.get(), options).cluster(family.asBlocks(), Progress.NONE);
  }

  /** What every result must be, by full SVDs. */
  private static void check(Family family, ClusterOptions options, List<Cluster> clusters) {
    Set<Integer> seen = new HashSet<>();
    for (Cluster cluster : clusters) {
      assertThat(cluster.members()).hasSizeGreaterThan(1);
      cluster.members().forEach(member -> assertThat(seen.add(member)).isTrue());
      assertThat(cluster.rank()).isBetween(1, options.rank());
      assertThat(cluster.error()).isLessThanOrEqualTo(options.maxError() + 1e-9);
      assertThat(cluster.bracket().lower()).isLessThanOrEqualTo(cluster.bracket().upper() + 1e-9);
      if (!options.perBlock()) {
        double total = family.squaredNorm(cluster.members());
        double truth = family.squaredError(cluster.members(), cluster.rank());
        assertThat(cluster.error() * cluster.error() * total)
            .isCloseTo(truth, within(1e-9 * total));
      }
      assertThat(elements(family, cluster) * options.widths().factor())
          .isLessThan(alone(family, options, cluster));
    }
  }

  private static long elements(Family family, Cluster cluster) {
    return (long) cluster.rank() * (family.rows() + columns(family, cluster.members()));
  }

  private static int columns(Family family, List<Integer> members) {
    return members.stream().mapToInt(i -> family.blocks().get(i)[0].length).sum();
  }

  private static long alone(Family family, ClusterOptions options, Cluster cluster) {
    long sum = 0;
    for (int member : cluster.members()) {
      int rank = 1;
      double limit = Math.pow(options.maxError(), 2) * family.squaredNorm(List.of(member));
      while (family.squaredError(List.of(member), rank) > limit * (1 + 1e-9)) {
        rank++;
      }
      long columns = family.blocks().get(member)[0].length;
      sum +=
          Math.min(
              rank * (family.rows() + columns) * options.widths().factor(),
              family.rows() * columns * options.widths().dense());
    }
    return sum;
  }

  @ParameterizedTest
  @EnumSource(Algorithm.class)
  void whatIsPromisedHolds(Algorithm algorithm) {
    for (int seed = 0; seed < FAMILIES; seed++) {
      Family family = Family.random(seed);
      SplittableRandom random = new SplittableRandom(~seed);
      int rank = random.nextInt(1, family.rows() + 1);
      double maxError = new double[] {0, 0.05, 0.3, 0.7}[random.nextInt(4)];
      ClusterOptions options = ClusterOptions.of(algorithm, rank, maxError);
      for (Order order : Order.values()) {
        check(family, options.with(order), cluster(family, options.with(order)));
      }
    }
  }

  /** Factors that are wider than blocks pay less often, narrower ones more often. */
  @ParameterizedTest
  @EnumSource(Algorithm.class)
  void sharingPaysByWidthAndNotByNumber(Algorithm algorithm) {
    int[] members = new int[3];
    for (int seed = 0; seed < 100; seed++) {
      Family family = Family.random(seed);
      ClusterOptions options = ClusterOptions.of(algorithm, family.rows(), 0.3);
      for (int i = 0; i < members.length; i++) {
        Widths widths = List.of(new Widths(1, 4), Widths.EQUAL, new Widths(4, 1)).get(i);
        List<Cluster> clusters = cluster(family, options.with(widths));
        check(family, options.with(widths), clusters);
        members[i] += clusters.stream().mapToInt(one -> one.members().size()).sum();
      }
    }
    assertThat(members[0]).isPositive().isLessThan(members[1]);
    assertThat(members[1]).isLessThan(members[2]);
  }

  @ParameterizedTest
  @EnumSource(Algorithm.class)
  void aPromiseToEveryBlockHoldsForEach(Algorithm algorithm) {
    int found = 0;
    for (int seed = 0; seed < 100; seed++) {
      Family family = Family.random(seed);
      int rank = new SplittableRandom(seed).nextInt(1, family.rows() + 1);
      ClusterOptions options = ClusterOptions.of(algorithm, rank, 0.4).toEveryBlock();
      for (Cluster cluster : cluster(family, options)) {
        found++;
        Family unit =
            new Family(
                cluster.members().stream()
                    .map(family.blocks()::get)
                    .map(a -> Plain.scale(a, 1 / Math.max(Plain.frobenius(a), 1e-300)))
                    .toList());
        double mean =
            unit.squaredError(
                    IntStream.range(0, unit.blocks().size()).boxed().toList(), cluster.rank())
                / unit.blocks().size();
        // The worst of them is no better than the best mean, and no worse than was promised.
        assertThat(cluster.error()).isBetween(Math.sqrt(mean) - 1e-7, 0.4 + 1e-9);
      }
    }
    assertThat(found).isPositive();
  }

  @ParameterizedTest
  @EnumSource(names = {"INCREMENTAL", "EXACT"})
  void plantedSubspacesAreFound(Algorithm algorithm) {
    Family family = Family.planted(3, 18, 24, 6, 4, 1e-6, 5);
    ClusterOptions options = ClusterOptions.of(algorithm, 4, 1e-3);
    List<Cluster> clusters = cluster(family, options);
    check(family, options, clusters);
    assertThat(clusters).hasSize(3);
    for (Cluster cluster : clusters) {
      int subspace = cluster.members().getFirst() % 3;
      assertThat(cluster.members()).hasSize(6).allMatch(member -> member % 3 == subspace);
      assertThat(cluster.rank()).isEqualTo(4);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"INCREMENTAL", "EXACT"})
  void equalBlocksShareOneBasisOfTheirRank(Algorithm algorithm) {
    double[][] a = Plain.ofRank(20, 9, 2, 3);
    Family family = new Family(List.of(a, a, Plain.random(20, 9, 4), a));
    List<Cluster> clusters = cluster(family, ClusterOptions.of(algorithm, 9, 0.01));
    assertThat(clusters).hasSize(1);
    assertThat(clusters.getFirst().members()).isEqualTo(List.of(0, 1, 3));
    assertThat(clusters.getFirst().rank()).isEqualTo(2);
  }

  /** Both bounds count no direction twice, so what joins must be small, whatever its directions. */
  @ParameterizedTest
  @EnumSource(names = {"MAX_NORM", "RESIDUAL"})
  void smallBlocksJoinALargeOne(Algorithm algorithm) {
    double[][] a = Plain.ofRank(20, 9, 2, 3);
    Family family = new Family(List.of(a, Plain.scale(a, 0.005), a, Plain.scale(a, -0.005)));
    ClusterOptions options = ClusterOptions.of(algorithm, 9, 0.01);
    List<Cluster> clusters = cluster(family, options);
    check(family, options, clusters);
    assertThat(clusters).hasSize(1);
    assertThat(clusters.getFirst().members()).hasSize(3).contains(1, 3);
    assertThat(clusters.getFirst().bracket().upper()).isCloseTo(0.005 * Math.sqrt(2), within(1e-5));
    assertThat(clusters.getFirst().error()).isLessThan(1e-7);
  }

  @Test
  void numbersOutOfRangeAreRefused() {
    assertThatThrownBy(() -> ClusterOptions.of(Algorithm.EXACT, 0, 0.1))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--rank 0");
    assertThatThrownBy(() -> ClusterOptions.of(Algorithm.EXACT, 1, 1))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--max-error 1");
  }
}
