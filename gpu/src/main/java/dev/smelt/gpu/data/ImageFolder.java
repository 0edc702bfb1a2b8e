package dev.smelt.gpu.data;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.Hashing;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.data.DataOptions.Special;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A folder of images: {@code class/*.png} or {@code .jpg}, {@code .jpeg}, perhaps below one folder
 * that holds all classes. Classes are in the order of their names, images likewise. Headers are
 * looked at when it is read, pixels when they are needed.
 */
final class ImageFolder {

  static final Set<String> ENDINGS = Set.of("png", "jpg", "jpeg");

  /** A class as the files have it. */
  private record Folder(Path path, List<Path> images) {
    String name() {
      return String.valueOf(path.getFileName());
    }
  }

  private final Path root;
  private final InputSpec input;
  private final DataOptions options;

  private ImageFolder(Path root, InputSpec input, DataOptions options) {
    this.root = root;
    this.input = input;
    this.options = options;
  }

  static Dataset read(Path root, InputSpec input, DataOptions options) {
    options.requireEffect(root.toString(), EnumSet.of(Special.SIZE, Special.NORMALIZE));
    return new ImageFolder(root, input, options).read();
  }

  private Dataset read() {
    Optional<ImageSize> networks = networkSize();
    List<Folder> folders = folders();
    List<Integer> labels = labels(folders);
    List<Path> images = new ArrayList<>();
    List<Integer> labelOf = new ArrayList<>();
    for (int i = 0; i < folders.size(); i++) {
      for (Path image : folders.get(i).images()) {
        images.add(image);
        labelOf.add(labels.get(i));
      }
    }
    int[] selected = Selection.of(images.size(), options, root.toString());
    ImageSize size =
        options.size().or(() -> networks).orElseGet(() -> Rgb.sizeOf(images.get(selected[0])));
    Shape shape = Shape.of(Rgb.CHANNELS, size.height(), size.width());
    List<Example> examples = new ArrayList<>();
    for (int i : selected) {
      Path image = images.get(i);
      requireSize(image, size);
      examples.add(
          new Example.Values(shape, (target, at) -> copy(image, size, target, at), labelOf.get(i)));
    }
    return new Dataset(root, hash(images), Task.CLASSIFICATION, examples, OptionalInt.empty(), 0);
  }

  private void copy(Path image, ImageSize size, float[] target, int at) {
    Rgb fitted = Rgb.read(image).fitted(size);
    float[] planes = options.normalization().map(fitted::normalized).orElse(fitted).planes();
    System.arraycopy(planes, 0, target, at, planes.length);
  }

  /** What the network says of its images, which must go with what is asked for. */
  private Optional<ImageSize> networkSize() {
    return switch (input) {
      case InputSpec.Tokens tokens ->
          throw new UsageException(
              "images for a network that does " + tokens.task() + " of text [" + root + "]",
              "give text");
      case InputSpec.Open _ -> Optional.empty();
      case InputSpec.Images images -> {
        if (images.channels() != Rgb.CHANNELS) {
          throw new UnsupportedException(
              "images are read in 3 channels",
              root.toString(),
              "the network takes " + images.channels(),
              "give .safetensors with inputs and labels");
        }
        ImageSize size = new ImageSize(images.height(), images.width());
        options
            .size()
            .filter(wanted -> !wanted.equals(size))
            .ifPresent(
                wanted -> {
                  throw new UsageException(
                      "--size " + wanted + " for a network of images of " + size,
                      "use --size " + size);
                });
        yield Optional.of(size);
      }
    };
  }

  private void requireSize(Path image, ImageSize size) {
    if (options.size().isPresent()) {
      return;
    }
    ImageSize found = Rgb.sizeOf(image);
    if (!found.equals(size)) {
      throw new MismatchException(
          "image of the wrong size",
          image.toString(),
          "expected " + size + ", found " + found,
          "--size " + size + " resizes and crops all images");
    }
  }

  private List<Folder> folders() {
    Path top = root;
    List<Path> below = Storage.local().folders(top);
    if (below.size() == 1
        && Storage.local().files(top).isEmpty()
        && !Storage.local().folders(below.getFirst()).isEmpty()) {
      top = below.getFirst();
      below = Storage.local().folders(top);
    }
    for (Path stray : Storage.local().files(top)) {
      throw stray(stray, "expected a folder for each class");
    }
    if (below.isEmpty()) {
      throw new UsageException("no class folders in " + root, "put images into class/0001.png");
    }
    return below.stream().map(ImageFolder::folder).toList();
  }

  private static Folder folder(Path path) {
    for (Path deeper : Storage.local().folders(path)) {
      throw stray(deeper, "expected images only in the folder of a class");
    }
    List<Path> images = Storage.local().files(path);
    for (Path image : images) {
      if (!ENDINGS.contains(ending(image))) {
        throw stray(image, "expected .png, .jpg or .jpeg");
      }
    }
    if (images.isEmpty()) {
      throw new CorruptException(
          "class without images", path.toString(), "", "add some or remove the folder");
    }
    return new Folder(path, images);
  }

  private static UnsupportedException stray(Path path, String expected) {
    return new UnsupportedException(
        "unknown file among images", path.toString(), expected, "take it out of the data");
  }

  static String ending(Path file) {
    String name = file.toString().toLowerCase(Locale.ROOT);
    return name.substring(name.lastIndexOf('.') + 1);
  }

  /** By name or index where classes have names; else by the order of the folders. */
  private List<Integer> labels(List<Folder> folders) {
    ClassIndex classes = new ClassIndex(input.labels());
    if (!classes.isUnnamed() || folders.stream().allMatch(f -> classes.has(f.name()))) {
      return folders.stream().map(f -> classes.of(f.name(), f.path().toString())).toList();
    }
    requireOrderOfNumbers(folders);
    List<Integer> labels = new ArrayList<>();
    for (Folder folder : folders) {
      labels.add(classes.of(labels.size(), folder.path().toString()));
    }
    return labels;
  }

  /** Folders 0 to 10 in the order of their names are 0, 1, 10, 2 …: no one can mean that. */
  private void requireOrderOfNumbers(List<Folder> folders) {
    List<Integer> numbers = folders.stream().map(f -> ClassIndex.number(f.name())).toList();
    for (int i = 0; i < numbers.size(); i++) {
      if (!numbers.contains(-1) && numbers.get(i) != i) {
        throw new UsageException(
            "class folder "
                + numbers.get(i)
                + " would be class "
                + i
                + " by the order of names ["
                + folders.get(i).path()
                + "]",
            "name folders 00, 01, 02 … without gaps");
      }
    }
  }

  /** Of a text that holds a line for each image: SHA-256, two spaces, name below the root, LF. */
  private String hash(List<Path> images) {
    StringBuilder lines = new StringBuilder();
    for (Path image : images) {
      String name = root.relativize(image).toString().replace('\\', '/');
      lines.append(Hashing.sha256(image)).append("  ").append(name).append('\n');
    }
    byte[] text = lines.toString().getBytes(StandardCharsets.UTF_8);
    return Hashing.sha256(MemorySegment.ofArray(text));
  }
}
