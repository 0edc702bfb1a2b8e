package dev.smelt.compress.sharing;

import dev.smelt.compress.factorize.FactoredModel;
import dev.smelt.compress.factorize.FactoredModel.LayerState;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.compress.metric.PlainMetric;
import dev.smelt.compress.sharing.Subjects.Place;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.ClusterRecord;
import dev.smelt.formats.manifest.TensorRecord;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/** Models with shared bases, their certificates known, ready to be written. */
public final class ClusteredModels {

  private static final String METHOD = "cluster";
  private static final String STAYS = "neither shared nor own factors are smaller";

  private final List<ZooModel> models;
  private final List<FactoredModel> factored;
  private final List<SequencedMap<String, LayerState>> states;
  private final Subjects subjects;
  private final List<SharedBasis> shared;
  private final Pieces pieces;
  private final ZooLayout layout;
  private final boolean isZoo;

  private ClusteredModels(
      List<ZooModel> models,
      List<FactoredModel> factored,
      List<SequencedMap<String, LayerState>> states,
      Subjects subjects,
      List<SharedBasis> shared,
      Pieces pieces,
      ZooLayout layout,
      boolean isZoo) {
    this.models = models;
    this.factored = factored;
    this.states = states;
    this.subjects = subjects;
    this.shared = shared;
    this.pieces = pieces;
    this.layout = layout;
    this.isZoo = isZoo;
  }

  /**
   * @param layers that were looked at, of each model
   * @param pieces what has become of them
   */
  static ClusteredModels of(
      List<ZooModel> models,
      Optional<Checkpoint> base,
      List<List<Layer>> layers,
      Subjects subjects,
      List<SharedBasis> shared,
      Pieces pieces,
      Panels panels,
      StoredTensors stored) {
    List<SequencedMap<String, LayerState>> states = new ArrayList<>();
    List<FactoredModel> factored = new ArrayList<>();
    for (int i = 0; i < models.size(); i++) {
      SequencedMap<String, LayerState> ofModel = new LinkedHashMap<>();
      for (Layer whole : layers.get(i)) {
        Place own = new Place(i, whole.module());
        Place source = subjects.copies().getOrDefault(own, own);
        String reason = subjects.kept().getOrDefault(source, STAYS);
        for (Layer layer : pieces.of(source, whole, panels)) {
          Place place = new Place(source.model(), layer.module());
          ofModel.put(
              layer.module(),
              pieces
                  .basis(place)
                  .map(basis -> state(layer, basis, basis.member(place)))
                  .orElse(new LayerState.Dense(layer, reason)));
        }
      }
      states.add(ofModel);
      factored.add(new FactoredModel(models.get(i).checkpoint(), METHOD, ofModel, stored));
    }
    boolean isZoo = models.size() > 1 || base.isPresent();
    ZooLayout layout = isZoo ? ZooLayout.of(factored, base, stored) : ZooLayout.single();
    return new ClusteredModels(models, factored, states, subjects, shared, pieces, layout, isZoo);
  }

  private static LayerState state(Layer layer, SharedBasis basis, SharedMember member) {
    return member
        .subject()
        .base()
        .<LayerState>map(
            base -> new LayerState.Changed(layer, base.weight(), basis.factors(member)))
        .orElse(new LayerState.Factored(layer, basis.factors(member)));
  }

  /** What is stored of each model, in their order: checkpoints that networks can be loaded from. */
  public List<FactoredModel> models() {
    return List.copyOf(factored);
  }

  /** Tensors that are stored once for several models. */
  public List<TensorView> common() {
    return layout.common();
  }

  /** Names of the tensors of a model that are stored once for several. */
  public List<String> inCommon(int model) {
    return factored.get(model).tensors().stream()
        .filter(layout::isCommon)
        .map(TensorView::name)
        .toList();
  }

  /** What is stored of a model besides. */
  public List<TensorView> own(int model) {
    return factored.get(model).tensors().stream()
        .filter(tensor -> !layout.isCommon(tensor))
        .toList();
  }

  /** The folder of one model among several, without what is stored once for all. */
  public CheckpointWriter.Content content(int model) {
    CheckpointWriter.Content whole = factored.get(model).content(factored.get(model).dtype());
    List<TensorInfo> own = own(model).stream().map(TensorView::info).toList();
    return new CheckpointWriter.Content(
        own, whole.metadata(), whole.config(), whole.sideFiles(), whole.texts());
  }

  /** One per basis that is shared. */
  public List<ClusterRecord> clusters() {
    return shared.stream().map(this::record).toList();
  }

  private ClusterRecord record(SharedBasis one) {
    boolean plain = one.members().getFirst().subject().isPlain();
    List<Place> copies = new ArrayList<>();
    for (SharedMember member : one.members()) {
      Layer layer = member.subject().layer();
      Place whole = new Place(member.subject().model(), layer.whole());
      subjects
          .copies()
          .forEach(
              (copy, source) -> {
                if (source.equals(whole)) {
                  copies.add(new Place(copy.model(), layer.module()));
                }
              });
    }
    return new ClusterRecord(
        one.basis().name(),
        one.side().toString(),
        one.members().stream().map(member -> qualified(Place.of(member.subject()))).toList(),
        copies.stream().map(this::qualified).toList(),
        one.rank(),
        one.error(),
        plain ? null : one.weightedError(),
        one.bracket().lower(),
        one.bracket().upper(),
        one.bracket()
            .ledger()
            .map(
                ledger -> new ClusterRecord.Energy(ledger.total(), ledger.kept(), ledger.dropped()))
            .orElse(null),
        one.members().stream().mapToLong(member -> StoredAs.bytes(member.subject().layer())).sum(),
        one.bytes());
  }

  /** A name of a tensor or module: of several models, with that of its model and a slash before. */
  private String qualified(Place place) {
    return isZoo ? models.get(place.model()).name() + "/" + place.module() : place.module();
  }

  /**
   * One record per tensor of every model, in their order. Bytes of what several tensors are made of
   * are shared out among them.
   */
  public List<TensorRecord> records() {
    List<StoredAs> all = new ArrayList<>();
    for (int i = 0; i < models.size(); i++) {
      all.addAll(StoredAs.of(i, models.get(i).checkpoint(), factored.get(i), states.get(i)));
    }
    all.forEach(one -> one.stored().forEach(view -> layout.use(one.model(), view)));
    return all.stream().map(this::record).toList();
  }

  private TensorRecord record(StoredAs one) {
    long after = one.stored().stream().mapToLong(view -> layout.nextShare(one.model(), view)).sum();
    if (one.layer().isEmpty()) {
      String name = qualified(new Place(one.model(), one.tensor().name()));
      return TensorRecord.kept(name, null, one.tensor().info().bytes(), after);
    }
    Layer layer = one.layer().get();
    long before = StoredAs.bytes(layer);
    String name = qualified(new Place(one.model(), layer.module() + Layer.WEIGHT));
    Place whole = new Place(one.model(), layer.whole());
    Place copied = subjects.copies().getOrDefault(whole, whole);
    Place place = new Place(one.model(), layer.module());
    Place source = new Place(copied.model(), layer.module());
    if (pieces.basis(source).isEmpty()) {
      String reason = subjects.kept().getOrDefault(copied, STAYS);
      return reason.equals(Subjects.UNCHANGED)
          ? TensorRecord.of(name, TensorRecord.UNCHANGED, before, after)
          : TensorRecord.kept(name, "stays dense: " + reason, before, after);
    }
    SharedBasis basis = pieces.basis(source).get();
    SharedMember member = basis.member(source);
    boolean plain = member.subject().isPlain();
    return new TensorRecord(
        name,
        shared.contains(basis) ? TensorRecord.CLUSTERED : TensorRecord.FACTORIZED,
        reason(source, place, member),
        basis.rank(),
        member.errors().errorOfWhole(),
        plain || source.equals(place) ? (Double) member.errors().weightedError() : null,
        null,
        plain ? null : member.errors().shrinkage(),
        null,
        member.subject().base().isPresent() ? member.errors().error() : null,
        before,
        after);
  }

  private @Nullable String reason(Place source, Place place, SharedMember member) {
    if (!source.equals(place)) {
      return "equal to that of " + models.get(source.model()).name();
    }
    boolean uninformed =
        member.subject().isPlain() && !(models.get(source.model()).metric() instanceof PlainMetric);
    return uninformed ? "the data say nothing of it: plain metric, in no cluster" : null;
  }
}
