package dev.smelt.compress.cluster;

import dev.smelt.compress.cluster.ClusterOptions.Algorithm;
import dev.smelt.compress.cluster.ClusterOptions.Order;
import dev.smelt.formats.Progress;
import dev.smelt.formats.work.Workers;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * One cluster after another: it begins with the largest block that is left, and the next ones while
 * their columns together are no more than r; all others are offered to it, and taken while the
 * bound stays within ε. Shamrai, arXiv 2601.11626.
 */
final class GreedyClustering {

  /** Members that are tried together after one has joined; twice as many each time none does. */
  private static final int FEWEST = 2;

  private static final int MOST = 64;

  private final ComputeDevice device;
  private final LinearAlgebra algebra;
  private final ClusterOptions options;

  /**
   * @param algebra in which clusters live while they grow
   */
  GreedyClustering(ComputeDevice device, LinearAlgebra algebra, ClusterOptions options) {
    this.device = device;
    this.algebra = algebra;
    this.options = options;
  }

  /**
   * @return clusters of two members or more; who is in none stays alone
   */
  List<Group> run(List<Member> all, Progress.Task task) {
    List<Member> rest = new ArrayList<>(all);
    rest.sort(Comparator.comparingDouble(Member::squaredNorm).reversed());
    List<Group> clusters = new ArrayList<>();
    int failures = 0;
    while (!rest.isEmpty() && failures < options.patience()) {
      List<Member> head = head(rest);
      rest.removeAll(head);
      Group cluster = grow(head, rest);
      rest.removeAll(cluster.members());
      int size = cluster.members().size();
      failures = size > head.size() ? 0 : failures + 1;
      if (size > 1) {
        clusters.add(cluster);
      }
      task.advance(size);
    }
    task.advance(rest.size());
    return clusters;
  }

  private List<Member> head(List<Member> rest) {
    List<Member> head = new ArrayList<>(List.of(rest.getFirst()));
    int columns = rest.getFirst().columns();
    for (Member next : rest.subList(1, rest.size())) {
      columns += next.columns();
      if (columns > options.rank()) {
        break;
      }
      head.add(next);
    }
    return head;
  }

  private Group grow(List<Member> head, List<Member> others) {
    List<Member> cluster = new ArrayList<>(head);
    TruncatedSum start = sum(head);
    List<Member> offered = order(start, others);
    try (Growth growth = growth(start)) {
      int at = 0;
      int size = FEWEST;
      while (at < offered.size()) {
        List<Member> tried = offered.subList(at, Math.min(offered.size(), at + size));
        int accepted = firstAccepted(growth, cluster, tried);
        if (accepted == tried.size()) {
          at += accepted;
          size = Math.min(MOST, 2 * size);
        } else {
          add(growth, tried.get(accepted));
          cluster.add(tried.get(accepted));
          at += accepted + 1;
          size = FEWEST;
        }
      }
      double total = Math.max(growth.total(), Double.MIN_NORMAL);
      return new Group(
          cluster, growth.lowerBound() / total, growth.bound() / total, growth.ledger());
    }
  }

  /**
   * The first that may join; their number where none may. All are tried on the cluster as it is, so
   * those behind the first must be tried again.
   */
  private int firstAccepted(Growth growth, List<Member> cluster, List<Member> tried) {
    boolean[] accepted = new boolean[tried.size()];
    List<Workers.Job> jobs = new ArrayList<>();
    for (int i = 0; i < accepted.length; i++) {
      int place = i;
      jobs.add(
          () -> {
            try (LinearAlgebra own = device.linearAlgebra()) {
              Member member = tried.get(place);
              accepted[place] = accepts(growth, own, cluster, member, member.load(own));
            }
          });
    }
    device.runAll(jobs, Clusterer.MOST_AT_A_TIME);
    int first = 0;
    while (first < accepted.length && !accepted[first]) {
      first++;
    }
    return first;
  }

  private void add(Growth growth, Member member) {
    try (LinearAlgebra inner = algebra.inner()) {
      growth.add(inner, member, member.load(inner));
    }
  }

  private TruncatedSum sum(List<Member> head) {
    boolean truncated = options.algorithm() == Algorithm.INCREMENTAL;
    int limit = truncated ? options.rank() + options.oversampling() : Integer.MAX_VALUE;
    TruncatedSum sum = TruncatedSum.empty(algebra, limit);
    for (Member member : head) {
      try (TruncatedSum before = sum;
          LinearAlgebra inner = algebra.inner()) {
        sum = before.plus(algebra, member.load(inner), member.squaredNorm());
      }
    }
    return sum;
  }

  private Growth growth(TruncatedSum head) {
    return switch (options.algorithm()) {
      case MAX_NORM -> new MaxNormGrowth(head, options.rank());
      case RESIDUAL -> new ResidualGrowth(algebra, head, options.rank());
      case INCREMENTAL -> new TruncatedGrowth(algebra, head, options.rank());
      case EXACT -> throw new IllegalArgumentException("not greedy");
    };
  }

  private List<Member> order(TruncatedSum head, List<Member> others) {
    List<Member> offered = new ArrayList<>(others);
    offered.sort(Comparator.comparingDouble(Member::squaredNorm));
    Optional<Matrix> basis = head.basis();
    if (options.order() == Order.RESIDUAL && basis.isPresent()) {
      double[] shares = new double[others.stream().mapToInt(Member::index).max().orElse(0) + 1];
      for (Member member : others) {
        shares[member.index()] = residual(basis.get(), member);
      }
      offered.sort(Comparator.comparingDouble(member -> shares[member.index()]));
    }
    return offered;
  }

  /** ‖A − QQᵀA‖²/‖A‖². */
  private double residual(Matrix basis, Member member) {
    if (member.squaredNorm() == 0) {
      return 0;
    }
    try (LinearAlgebra inner = algebra.inner()) {
      double kept = inner.frobenius(inner.multiply(inner.transpose(basis), member.load(inner)));
      return 1 - kept * kept / member.squaredNorm();
    }
  }

  private boolean accepts(
      Growth growth, LinearAlgebra inner, List<Member> cluster, Member member, Matrix a) {
    double limit = options.maxError() * options.maxError();
    double bound = growth.boundWith(inner, member, a);
    if (!options.perBlock()) {
      return bound <= limit * (growth.total() + member.squaredNorm());
    }
    // Errors of single blocks are at most the error of all; where they can be had, they count.
    return bound <= limit
        || (growth instanceof TruncatedGrowth truncated
            && bound <= limit * (cluster.size() + 1)
            && everyError(truncated.sum(), inner, cluster, member, a) <= limit);
  }

  /** The largest ‖A_j − QQᵀA_j‖² with the block. */
  private double everyError(
      TruncatedSum sum, LinearAlgebra inner, List<Member> cluster, Member member, Matrix a) {
    try (TruncatedSum next = sum.plus(inner, a, member.squaredNorm())) {
      List<Member> all = new ArrayList<>(cluster);
      all.add(member);
      double largest = 0;
      for (Member one : all) {
        largest = Math.max(largest, error(inner, next, one));
      }
      return largest;
    }
  }

  private double error(LinearAlgebra workspace, TruncatedSum sum, Member member) {
    if (sum.basis().isEmpty()) {
      return member.squaredNorm();
    }
    try (LinearAlgebra inner = workspace.inner()) {
      Matrix basis = sum.basis().get();
      int rank = Math.min(options.rank(), basis.cols());
      Matrix leading = inner.leadingColumns(basis, rank);
      double kept = inner.frobenius(inner.multiply(inner.transpose(leading), member.load(inner)));
      return Math.max(0, member.squaredNorm() - kept * kept);
    }
  }
}
