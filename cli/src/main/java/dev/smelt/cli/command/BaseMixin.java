package dev.smelt.cli.command;

import dev.smelt.compress.delta.AdaptedModel;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.Progress;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.peft.Adapter;
import dev.smelt.gpu.engine.ComputeDevice;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The option of commands that take adapter folders in place of models. */
final class BaseMixin {

  @Option(
      names = "--base",
      paramLabel = "B",
      description = "The model that adapter folders among the arguments are changes of.")
  private @Nullable Path base;

  Optional<Path> given() {
    return Optional.ofNullable(base);
  }

  /** What is read, for checks of the output: the arguments and the base. */
  List<Path> with(List<Path> paths) {
    List<Path> all = new ArrayList<>(paths);
    given().ifPresent(all::add);
    return all;
  }

  /**
   * @throws UsageException when a base is given that nothing needs
   */
  void requireUse(List<Path> paths) {
    if (base != null && paths.stream().noneMatch(Adapter::isFolder)) {
      throw new UsageException(
          "--base has no effect: none of the arguments is the folder of an adapter",
          "leave it out");
    }
  }

  /**
   * A checkpoint, or the model that an adapter and its base stand for; what is computed of it lies
   * where the system has its temporary files.
   */
  Checkpoint open(Path path, Supplier<ComputeDevice> device, Progress progress) {
    return open(
        path,
        new AdaptedModel.Work(device, Path.of(System.getProperty("java.io.tmpdir")), progress));
  }

  /** As {@link #open(Path, Supplier, Progress)}, with a place of its own for what is computed. */
  Checkpoint open(Path path, AdaptedModel.Work work) {
    return base != null && Adapter.isFolder(path)
        ? AdaptedModel.open(path, base, Optional.empty(), work)
        : Checkpoint.open(path);
  }

  /** What a reader of numbers should know of a checkpoint that is an adapter on a base. */
  static List<String> notes(Checkpoint checkpoint) {
    if (!(checkpoint instanceof AdaptedModel model)) {
      return List.of();
    }
    List<String> notes = new ArrayList<>();
    notes.add(
        model.path()
            + " was taken with its base "
            + model.base().path()
            + "; sizes are those of the dense model");
    model.notes().forEach(note -> notes.add(model.path() + ": " + note));
    return notes;
  }

  /** The model of an adapter; only where there is a base. */
  AdaptedModel openAdapted(Path path, Optional<DType> dtype, AdaptedModel.Work work) {
    return AdaptedModel.open(path, given().orElseThrow(), dtype, work);
  }
}
