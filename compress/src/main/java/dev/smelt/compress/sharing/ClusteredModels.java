package dev.smelt.compress.sharing;

import dev.smelt.compress.factorize.FactoredModel;
import dev.smelt.compress.factorize.FactoredModel.LayerState;
import dev.smelt.compress.factorize.Replaced;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.Shares;
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
  private final Subjects subjects;
  private final List<SharedBasis> shared;
  private final Pieces pieces;
  private final ZooLayout layout;
  private final boolean isZoo;

  private ClusteredModels(
      List<ZooModel> models,
      List<FactoredModel> factored,
      Subjects subjects,
      List<SharedBasis> shared,
      Pieces pieces,
      ZooLayout layout,
      boolean isZoo) {
    this.models = models;
    this.factored = factored;
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
      factored.add(new FactoredModel(models.get(i).checkpoint(), METHOD, ofModel, stored));
    }
    boolean isZoo = models.size() > 1 || base.isPresent();
    ZooLayout layout = isZoo ? ZooLayout.of(factored, base, stored) : ZooLayout.single();
    return new ClusteredModels(models, factored, subjects, shared, pieces, layout, isZoo);
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
    return List.copyOf(layout.inCommon(model));
  }

  /** What is stored of a model besides. */
  public List<TensorView> own(int model) {
    return factored.get(model).tensors().stream()
        .filter(tensor -> !layout.inCommon(model).contains(tensor.name()))
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
        one.members().stream().mapToLong(member -> member.subject().layer().bytes()).sum(),
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
    Shares shares = new Shares();
    for (int i = 0; i < models.size(); i++) {
      for (Replaced one : factored.get(i).replaced()) {
        for (TensorView view : one.outputs()) {
          shares.use(layout.key(i, view));
        }
      }
    }
    List<TensorRecord> records = new ArrayList<>();
    for (int i = 0; i < models.size(); i++) {
      for (Replaced one : factored.get(i).replaced()) {
        long after = 0;
        for (TensorView view : one.outputs()) {
          after += shares.next(layout.key(i, view)).of(view.info().bytes());
        }
        records.add(record(i, one, after));
      }
    }
    return records;
  }

  private TensorRecord record(int model, Replaced one, long after) {
    if (one.state().isEmpty()) {
      String name = qualified(new Place(model, one.input().name()));
      return TensorRecord.kept(name, null, one.input().info().bytes(), after);
    }
    Layer layer = one.state().get().layer();
    long before = layer.bytes();
    String name = qualified(new Place(model, layer.module() + Layer.WEIGHT));
    Place whole = new Place(model, layer.whole());
    Place copied = subjects.copies().getOrDefault(whole, whole);
    Place place = new Place(model, layer.module());
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
        basis.isShared() ? TensorRecord.CLUSTERED : TensorRecord.FACTORIZED,
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
