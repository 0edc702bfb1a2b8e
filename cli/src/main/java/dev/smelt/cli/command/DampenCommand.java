package dev.smelt.cli.command;

import dev.smelt.compress.dampen.DampenedModel;
import dev.smelt.compress.dampen.Dampening;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.Manifest.Measured;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.NamePatterns;
import dev.smelt.gpu.statistics.Provenance;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Lowers the weights that matter to data which a model is to forget. */
@Command(
    name = "dampen",
    description =
        "Let a model forget: lower weights that matter far more to some data than to others.",
    footer = {
      "%nSelective synaptic dampening: where F > α R, θ ← θ · min(λ R / F, 1), with F and R the Fisher"
          + " information of a weight on the data to be forgotten and on those to be retained. See"
          + " arXiv 2308.07707.",
      "%nExample:",
      "  smelt fisher model/ --data forget.txt -o F.safetensors",
      "  smelt fisher model/ --data retain.txt -o R.safetensors",
      "  smelt dampen model/ --forget F.safetensors --retain R.safetensors --alpha 10 -o out/"
    })
public final class DampenCommand extends SmeltCommand {

  @Parameters(paramLabel = "CKPT", description = "The model.")
  private Path path = Path.of("");

  @Option(
      names = "--forget",
      paramLabel = "F",
      required = true,
      description = "Statistics of the model on the data to be forgotten, from smelt fisher.")
  private Path forget = Path.of("");

  @Option(
      names = "--retain",
      paramLabel = "R",
      required = true,
      description = "Statistics of the model on the data to be retained.")
  private Path retain = Path.of("");

  @Option(
      names = "--alpha",
      paramLabel = "α",
      description = "Lower weights that matter more than α times as much to F as to R (10).")
  private double alpha = Dampening.DEFAULT_ALPHA;

  @Option(
      names = "--lambda",
      paramLabel = "λ",
      description = "How much is left of them: λ R / F, at most 1 (1).")
  private double lambda = Dampening.DEFAULT_LAMBDA;

  @Option(
      names = "--include",
      paramLabel = "GLOB",
      description = "Only tensors whose names match; several are allowed (all).")
  private List<String> include = new ArrayList<>();

  @Option(names = "--exclude", paramLabel = "GLOB", description = "No tensors whose names match.")
  private List<String> exclude = new ArrayList<>();

  @Option(names = "--any-model", description = "Accept statistics of another model.")
  private boolean anyModel;

  @Option(
      names = "--forget-data",
      paramLabel = "D",
      description = "Measure the loss before and after on these data to be forgotten.")
  private @Nullable Path forgetData;

  @Option(
      names = "--retain-data",
      paramLabel = "D",
      description = "Likewise on these data to be retained.")
  private @Nullable Path retainData;

  @Mixin private DataMixin how = new DataMixin();

  @Mixin private OutputMixin output = new OutputMixin();

  @Override
  protected Result execute() {
    Dampening dampening = new Dampening(alpha, lambda);
    if (data().isEmpty()) {
      how.refuseAsUseless("--forget-data or --retain-data");
    }
    OutputOptions options = output.options();
    options.requireWritable(
        Stream.of(Stream.of(path, forget, retain), data().stream(), how.script().stream())
            .flatMap(part -> part)
            .toList());
    try (Checkpoint checkpoint = Checkpoint.open(path);
        Statistics toForget = Statistics.open(forget);
        Statistics toRetain = Statistics.open(retain)) {
      String sha256 = ContentHash.of(checkpoint, root().threads());
      if (!anyModel) {
        toForget.requireModel(sha256);
        toRetain.requireModel(sha256);
      }
      List<Manifest.Input> inputs =
          List.of(
              Manifests.model(checkpoint, sha256),
              Manifests.file("forget", forget),
              Manifests.file("retain", retain));
      if (inputs.get(1).sha256().equals(inputs.get(2).sha256())) {
        throw new UsageException(
            "--forget and --retain are the same statistics",
            "give those on data to be forgotten, and those on others");
      }
      try (DampenedModel model =
          DampenedModel.of(
              checkpoint,
              toForget,
              toRetain,
              dampening,
              new NamePatterns(include, exclude),
              output.dtype(),
              options.target())) {
        List<String> notes = new ArrayList<>(model.notes());
        notes.addAll(differences(toForget.provenance(), toRetain.provenance()));
        return write(checkpoint, model, inputs, notes);
      }
    }
  }

  private List<Path> data() {
    return Stream.concat(
            Optional.ofNullable(forgetData).stream(), Optional.ofNullable(retainData).stream())
        .toList();
  }

  /** In what the two estimates differ that makes them hard to compare. */
  private static List<String> differences(Provenance forget, Provenance retain) {
    List<String> notes = new ArrayList<>();
    if (!forget.labels().equals(retain.labels())) {
      notes.add(
          "the statistics have different --labels: %s to forget, %s to retain"
              .formatted(text(forget.labels()), text(retain.labels())));
    }
    if (forget.seqLen().isPresent()
        && retain.seqLen().isPresent()
        && !forget.seqLen().equals(retain.seqLen())) {
      notes.add(
          "the statistics have different --seq-len, with which Fisher information grows: %d to"
                  .formatted(forget.seqLen().getAsInt())
              + " forget, %d to retain".formatted(retain.seqLen().getAsInt()));
    }
    return notes;
  }

  private static String text(Optional<?> value) {
    return value.map(Object::toString).orElse("unknown");
  }

  private Result write(
      Checkpoint checkpoint, DampenedModel model, List<Manifest.Input> inputs, List<String> notes) {
    List<Measured> measured = measure(checkpoint, model);
    CheckpointWriter.Content content = model.content();
    try (CheckpointWriter writer = CheckpointWriter.create(output.options(), content)) {
      List<TensorRecord> records = model.write(writer, root().threads(), root().progress());
      notes.addFirst(summary(records));
      Manifest manifest =
          writer.commit(
              Manifests.of(
                      "dampen", parameters(), inputs, List.of(checkpoint), content, records, notes)
                  .withMeasured(measured));
      int width = root().console().width();
      return Result.of(manifest, () -> ManifestText.of(manifest, output.options().target(), width));
    }
  }

  private static String summary(List<TensorRecord> records) {
    long weights = 0;
    long lowered = 0;
    long zeroed = 0;
    for (TensorRecord record : records) {
      TensorRecord.Dampened dampened = record.dampened();
      if (dampened != null) {
        weights += dampened.weights();
        lowered += dampened.lowered();
        zeroed += dampened.zeroed();
      }
    }
    return "lowered %,d of %,d weights (%.3f %%), %,d of them to 0"
        .formatted(lowered, weights, weights == 0 ? 0 : 100.0 * lowered / weights, zeroed);
  }

  /** Each model on both data, if there are any. */
  private List<Measured> measure(Checkpoint checkpoint, DampenedModel model) {
    List<Measured> measured = new ArrayList<>();
    if (data().isEmpty()) {
      return measured;
    }
    try (LazyDevice device = new LazyDevice(root()::openDevice)) {
      for (Path data : data()) {
        LossMeter meter = new LossMeter(how, data, checkpoint, device.get(), root().progress());
        var _ = meter.record("dampened", model);
        measured.addAll(meter.measured());
      }
    }
    return measured;
  }

  private Map<String, Object> parameters() {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("alpha", alpha);
    parameters.put("lambda", lambda);
    parameters.put("include", include);
    parameters.put("exclude", exclude);
    output.dtype().ifPresent(dtype -> parameters.put("dtype", dtype.label()));
    if (forgetData != null) {
      parameters.put("forgetData", forgetData.toString());
    }
    if (retainData != null) {
      parameters.put("retainData", retainData.toString());
    }
    parameters.putAll(how.given());
    return parameters;
  }
}
