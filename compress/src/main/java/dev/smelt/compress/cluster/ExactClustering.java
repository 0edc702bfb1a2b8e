package dev.smelt.compress.cluster;

import dev.smelt.formats.Progress;
import dev.smelt.gpu.engine.LinearAlgebra;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Merges the pair that saves most elements, again and again, each cluster with the smallest rank
 * that keeps the promise; by the exact spectra of unions. Pairs are tried in the order of what they
 * could save at most: by Σ_{i≤r} λᵢ(G + H) ≤ Σ_{i≤r} λᵢ(G) + λᵢ(H) a union needs at least some
 * rank.
 */
final class ExactClustering {

  private final LinearAlgebra algebra;
  private final ClusterOptions options;

  /** One cluster on the way. */
  @SuppressWarnings("ArrayRecordComponent") // told apart by their ids
  private record Node(int id, List<Member> members, double[] energies, double total, long cost) {}

  /**
   * Two clusters.
   *
   * @param saved of the cost, at most or exactly
   * @param union what they make, where that is known
   */
  private record Pair(Node one, Node other, long saved, List<Node> union) {}

  ExactClustering(LinearAlgebra algebra, ClusterOptions options) {
    this.algebra = algebra;
    this.options = options;
  }

  /**
   * @return clusters of two members or more; who is in none stays alone
   */
  List<Group> run(List<Member> all, Progress.Task task) {
    List<Node> nodes = new ArrayList<>();
    for (Member member : all) {
      nodes.add(
          new Node(
              nodes.size(),
              List.of(member),
              member.energies(),
              member.squaredNorm(),
              Costs.alone(member, options)));
    }
    PriorityQueue<Pair> pairs =
        new PriorityQueue<>(
            Comparator.comparingLong(Pair::saved)
                .reversed()
                .thenComparingInt(pair -> pair.one().id())
                .thenComparingInt(pair -> pair.other().id()));
    SortedMap<Integer, Node> open = new TreeMap<>();
    for (Node node : nodes) {
      offer(pairs, open, node);
    }
    int next = nodes.size();
    while (!pairs.isEmpty()) {
      Pair pair = pairs.remove();
      if (!open.containsKey(pair.one().id()) || !open.containsKey(pair.other().id())) {
        continue;
      }
      if (pair.union().isEmpty()) {
        Node union = union(pair, next++);
        long saved = pair.one().cost() + pair.other().cost() - union.cost();
        if (saved > 0) {
          pairs.add(new Pair(pair.one(), pair.other(), saved, List.of(union)));
        }
        continue;
      }
      open.remove(pair.one().id());
      open.remove(pair.other().id());
      task.advance(1);
      offer(pairs, open, pair.union().getFirst());
    }
    return open.values().stream()
        .filter(node -> node.members().size() > 1)
        .map(this::group)
        .toList();
  }

  private Group group(Node node) {
    double limit = options.maxError() * options.maxError() * node.total();
    int rank = Energies.rankWithin(node.energies(), limit);
    double error = node.total() == 0 ? 0 : Energies.tail(node.energies(), rank) / node.total();
    return new Group(node.members(), error, error, Optional.empty());
  }

  private void offer(PriorityQueue<Pair> pairs, SortedMap<Integer, Node> open, Node node) {
    for (Node other : open.values()) {
      long saved = node.cost() + other.cost() - leastCost(node, other);
      if (saved > 0) {
        boolean first = other.id() < node.id();
        pairs.add(new Pair(first ? other : node, first ? node : other, saved, List.of()));
      }
    }
    open.put(node.id(), node);
  }

  private long leastCost(Node one, Node other) {
    int size = Math.max(one.energies().length, other.energies().length);
    double total = one.total() + other.total();
    double needed = (1 - options.maxError() * options.maxError()) * total;
    double kept = 0;
    int rank = 0;
    while (rank < size && (kept < needed || rank == 0)) {
      kept += at(one.energies(), rank) + at(other.energies(), rank);
      rank++;
    }
    return Costs.shared(rank, joined(one, other), options);
  }

  private static double at(double[] energies, int i) {
    return i < energies.length ? energies[i] : 0;
  }

  private static List<Member> joined(Node one, Node other) {
    List<Member> joined = new ArrayList<>(one.members());
    joined.addAll(other.members());
    return joined;
  }

  /** A union whose rank would be larger than allowed costs more than anything. */
  private Node union(Pair pair, int id) {
    List<Member> members = joined(pair.one(), pair.other());
    try (LinearAlgebra inner = algebra.inner()) {
      UnionSpectrum spectrum = UnionSpectrum.of(inner, members);
      int rank = spectrum.rank(inner, members, options);
      long cost = rank > options.rank() ? Long.MAX_VALUE / 4 : Costs.shared(rank, members, options);
      return new Node(id, members, spectrum.values(), spectrum.total(), cost);
    }
  }
}
