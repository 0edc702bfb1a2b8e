package dev.smelt.cli.verify;

import dev.smelt.compress.factorize.Recertification;
import dev.smelt.compress.sharing.SharedErrors;
import dev.smelt.compress.sharing.SharingRecertification;
import dev.smelt.compress.sharing.SharingRecertification.Member;
import dev.smelt.compress.sharing.Side;
import dev.smelt.formats.manifest.ClusterRecord;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.LowRank;
import dev.smelt.gpu.engine.ComputeDevice;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What the manifest says of clusters: who shares, and the errors, computed again. */
public final class ClusterChecks {

  public static final String CLUSTER = "cluster";

  private final Manifest manifest;
  private final ComputeDevice device;
  private final boolean weighted;
  private final boolean perBlock;
  private final List<Check> checks;
  private final Map<String, TensorRecord> records = new HashMap<>();

  /** All matrices with factors, by module; of several models with the model's name before it. */
  private final SequencedMap<String, Member> members = new LinkedHashMap<>();

  /** Who uses each basis. */
  private final SequencedMap<String, List<String>> users = new LinkedHashMap<>();

  private ClusterChecks(
      List<VerifiedModel> models,
      Manifest manifest,
      boolean weighted,
      ComputeDevice device,
      List<Check> checks) {
    this.manifest = manifest;
    this.device = device;
    this.weighted = weighted;
    this.perBlock = Boolean.TRUE.equals(manifest.parameters().get("perBlock"));
    this.checks = checks;
    manifest.tensors().forEach(record -> records.put(record.name(), record));
    for (VerifiedModel model : models) {
      LowRank stored = LowRank.of(model.written());
      for (Recertification.Stored pair : Recertification.pairs(stored)) {
        members.put(
            model.qualified(pair.module()), new Member(model.original(), model.written(), pair));
      }
      stored
          .bases()
          .forEach(
              (basis, modules) ->
                  modules.forEach(
                      module ->
                          users
                              .computeIfAbsent(basis.name(), name -> new ArrayList<>())
                              .add(model.qualified(module))));
    }
  }

  /**
   * @param models with the metrics that were used, or plain ones where these are not at hand
   * @param weighted whether they are those that were used
   */
  public static void check(
      List<VerifiedModel> models,
      Manifest manifest,
      boolean weighted,
      ComputeDevice device,
      List<Check> checks) {
    new ClusterChecks(models, manifest, weighted, device, checks).run();
  }

  private void run() {
    List<ClusterRecord> clusters = manifest.clusters() == null ? List.of() : manifest.clusters();
    Map<String, Member> rest = new TreeMap<>(members);
    checks.add(Check.equal("shared bases", "all", (long) clusters.size(), (long) users.size()));
    for (ClusterRecord cluster : clusters) {
      if (hasItsMembers(cluster)) {
        cluster(cluster);
      }
      cluster.members().forEach(rest::remove);
      copies(cluster).forEach(copy -> single(copy, rest.remove(copy)));
    }
    rest.forEach(this::single);
  }

  private static List<String> copies(ClusterRecord cluster) {
    List<String> copies = cluster.copies();
    return copies == null ? List.of() : copies;
  }

  private boolean hasItsMembers(ClusterRecord cluster) {
    List<String> expected = new ArrayList<>(cluster.members());
    expected.addAll(copies(cluster));
    Check check =
        Check.equal(
            "members",
            cluster.basis(),
            expected.stream().sorted().toList().toString(),
            users.getOrDefault(cluster.basis(), List.of()).stream().sorted().toList().toString());
    checks.add(check);
    return check.ok();
  }

  private void cluster(ClusterRecord cluster) {
    List<Member> shared = new ArrayList<>();
    for (String name : cluster.members()) {
      Member member = members.get(name);
      if (member != null) {
        shared.add(member);
      }
    }
    Side side = cluster.side().equals(Side.INPUT.toString()) ? Side.INPUT : Side.OUTPUT;
    SharedErrors found = SharingRecertification.of(device, shared, side, perBlock);
    for (int i = 0; i < shared.size(); i++) {
      tensor(cluster.members().get(i), shared.get(i), found.members().get(i), weighted);
    }
    checks.add(
        CertificateChecks.close(
            "cluster error", cluster.basis(), cluster.relativeError(), found.error()));
    Double recorded = cluster.weightedRelativeError();
    if (weighted && recorded != null) {
      checks.add(
          CertificateChecks.close(
              "weighted cluster error", cluster.basis(), recorded, found.weightedError()));
    }
    energy(cluster, found.norm());
    if (weighted) {
      promise(cluster.basis(), found.weightedError());
    }
  }

  /**
   * Nothing is lost between what was kept and what was dropped; and it is the members' where the
   * sum was of these as they are.
   */
  private void energy(ClusterRecord cluster, double norm) {
    ClusterRecord.Energy energy = cluster.energy();
    if (energy == null) {
      return;
    }
    checks.add(
        CertificateChecks.close(
            "energy", cluster.basis(), energy.total(), energy.kept() + energy.dropped()));
    boolean asTheyAre = !perBlock && "plain".equals(manifest.parameters().get("metric"));
    if (asTheyAre) {
      checks.add(
          CertificateChecks.close(
              "energy of members", cluster.basis(), energy.total(), norm * norm));
    }
  }

  /** A matrix with factors of its own, or those of another model's that it equals. */
  private void single(String name, @Nullable Member member) {
    if (member == null) {
      return;
    }
    SharedErrors found = SharingRecertification.of(device, List.of(member), Side.OUTPUT, perBlock);
    TensorRecord record = records.get(name + ".weight");
    // The norm of a cluster is not that of a matrix on its own, nor is that of another model.
    boolean own =
        record != null
            && record.action().equals(TensorRecord.FACTORIZED)
            && record.weightedRelativeError() != null;
    tensor(name, member, found.members().getFirst(), weighted && own);
    if (weighted && own) {
      promise(name, found.weightedError());
    }
  }

  private void promise(String subject, double error) {
    Object promised = manifest.parameters().get("maxError");
    boolean kept = promised instanceof Number limit && error <= limit.doubleValue();
    checks.add(new Check("promise", subject, kept, kept ? "" : error + " exceeds " + promised));
  }

  private void tensor(
      String module, Member member, SharedErrors.OfMember found, boolean inItsNorm) {
    String name = module + ".weight";
    TensorRecord record = records.get(name);
    if (record == null) {
      checks.add(new Check("certificate", name, false, "the manifest has none"));
      return;
    }
    checks.add(
        Check.equal(
            "rank", name, String.valueOf(record.rank()), String.valueOf(member.pair().rank())));
    checks.add(
        CertificateChecks.close(
            "relative error", name, record.relativeError(), found.errorOfWhole()));
    if (member.pair().factors().delta()) {
      checks.add(
          CertificateChecks.close("error of the change", name, record.deltaError(), found.error()));
    }
    if (inItsNorm) {
      checks.add(
          CertificateChecks.close(
              "weighted error", name, record.weightedRelativeError(), found.weightedError()));
    }
  }
}
