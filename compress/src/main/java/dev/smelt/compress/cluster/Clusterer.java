package dev.smelt.compress.cluster;

import dev.smelt.compress.cluster.ClusterOptions.Algorithm;
import dev.smelt.formats.Progress;
import dev.smelt.formats.work.Workers;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * Finds blocks that may share a basis: for every cluster e_r ≤ ετ with the best basis of r
 * directions, computed from the spectrum of the whole union whatever the bound was by which it
 * grew. Clusters that take no fewer elements than their blocks alone are dissolved.
 */
public final class Clusterer {

  /** Blocks that are worked on together: more would take memory and gain nothing. */
  static final int MOST_AT_A_TIME = 16;

  private final ComputeDevice device;
  private final ClusterOptions options;

  public Clusterer(ComputeDevice device, ClusterOptions options) {
    this.device = device;
    this.options = options;
  }

  /**
   * @param blocks of equally many rows
   * @return clusters of two blocks or more, by their first members; who is in none stays alone
   */
  public List<Cluster> cluster(List<Block> blocks, Progress progress) {
    for (Block block : blocks) {
      if (block.rows() != blocks.getFirst().rows()) {
        throw new IllegalArgumentException(
            "blocks of " + blocks.getFirst().rows() + " and of " + block.rows() + " rows");
      }
    }
    List<Member> members = members(blocks);
    List<Group> groups;
    try (Progress.Task task = progress.begin("clustering", members.size(), "blocks");
        LinearAlgebra algebra = device.linearAlgebra()) {
      groups =
          options.algorithm() == Algorithm.EXACT
              ? new ExactClustering(algebra, options).run(members, task)
              : new GreedyClustering(device, algebra, options).run(members, task);
    }
    return groups.stream()
        .map(this::settle)
        .flatMap(Optional::stream)
        .sorted(Comparator.comparingInt(cluster -> cluster.members().getFirst()))
        .toList();
  }

  private List<Member> members(List<Block> blocks) {
    Map<Integer, Member> found = new ConcurrentSkipListMap<>();
    List<Workers.Job> jobs = new ArrayList<>();
    for (int i = 0; i < blocks.size(); i++) {
      int index = i;
      jobs.add(
          () -> {
            try (LinearAlgebra algebra = device.linearAlgebra()) {
              Block block = blocks.get(index);
              found.put(index, Member.of(algebra, index, block, options.perBlock()));
            }
          });
    }
    device.runAll(jobs, MOST_AT_A_TIME);
    return List.copyOf(found.values());
  }

  /** With the smallest rank that keeps the promise; empty where sharing does not pay. */
  private Optional<Cluster> settle(Group group) {
    List<Member> members = new ArrayList<>(group.members());
    while (members.size() > 1) {
      try (LinearAlgebra inner = device.linearAlgebra()) {
        UnionSpectrum spectrum = UnionSpectrum.of(inner, members);
        int rank = spectrum.rank(inner, members, options);
        if (rank <= options.rank()) {
          return pays(rank, members)
              ? Optional.of(cluster(inner, group, members, spectrum, rank))
              : Optional.empty();
        }
        // The best basis of all is not the best for the worst of them.
        members.remove(spectrum.worst(inner, members, options.rank()));
      }
    }
    return Optional.empty();
  }

  private boolean pays(int rank, List<Member> members) {
    long alone = members.stream().mapToLong(one -> Costs.alone(one, options)).sum();
    return Costs.shared(rank, members, options) < alone;
  }

  private Cluster cluster(
      LinearAlgebra inner, Group group, List<Member> members, UnionSpectrum spectrum, int rank) {
    double share = 0;
    if (options.perBlock()) {
      for (Member member : members) {
        double norm = member.squaredNorm();
        share = norm == 0 ? share : Math.max(share, spectrum.tails(inner, member)[rank] / norm);
      }
    } else if (spectrum.total() > 0) {
      share = spectrum.tail(rank) / spectrum.total();
    }
    return new Cluster(
        members.stream().map(Member::index).toList(),
        rank,
        Math.sqrt(share),
        bracket(group, members, Math.sqrt(share)));
  }

  /** Of a cluster that some of the group had to leave, nothing was known before. */
  private static Cluster.Bracket bracket(Group group, List<Member> members, double error) {
    return members.size() == group.members().size()
        ? new Cluster.Bracket(Math.sqrt(group.lower()), Math.sqrt(group.upper()), group.ledger())
        : new Cluster.Bracket(0, error);
  }
}
