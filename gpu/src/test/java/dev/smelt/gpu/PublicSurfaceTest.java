package dev.smelt.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.gpu.engine.ComputeDevice;
import java.io.IOException;
import java.lang.reflect.Executable;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Other modules must not meet the engine. */
class PublicSurfaceTest {

  private static final List<String> INTERNAL =
      List.of("dev.smelt.gpu.torch.", "dev.smelt.gpu.layer.", "dev.smelt.gpu.gradient.");

  @Test
  void showsNoTypeOfTheEngineOutsideInternalPackages()
      throws IOException, URISyntaxException, ClassNotFoundException {
    List<Class<?>> shown = publicClasses();
    assertThat(shown).contains(ComputeDevice.class).hasSizeGreaterThan(20);
    List<String> leaks = new ArrayList<>();
    for (Class<?> type : shown) {
      Stream.concat(Stream.of(type.getConstructors()), Stream.of(type.getMethods()))
          .filter(PublicSurfaceTest::namesTheEngine)
          .forEach(member -> leaks.add(member.toString()));
    }
    assertThat(leaks).isEmpty();
  }

  private static boolean namesTheEngine(Executable member) {
    Class<?> result = member instanceof Method method ? method.getReturnType() : void.class;
    return Stream.concat(Stream.of(result), Stream.of(member.getParameterTypes()))
        .anyMatch(type -> type.getName().contains("ai.djl."));
  }

  private static List<Class<?>> publicClasses()
      throws IOException, URISyntaxException, ClassNotFoundException {
    Path root =
        Path.of(ComputeDevice.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    List<String> names;
    try (Stream<Path> files = Files.walk(root)) {
      names =
          files
              .map(file -> root.relativize(file).toString())
              .filter(file -> file.endsWith(".class") && !file.contains("-info"))
              .map(file -> file.substring(0, file.length() - 6).replace('/', '.'))
              .filter(name -> INTERNAL.stream().noneMatch(name::startsWith))
              .toList();
    }
    List<Class<?>> shown = new ArrayList<>();
    for (String name : names) {
      Class<?> type = Class.forName(name, false, ComputeDevice.class.getClassLoader());
      if (Modifier.isPublic(type.getModifiers())) {
        shown.add(type);
      }
    }
    return shown;
  }
}
