package dev.smelt.cli;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import org.junit.jupiter.api.Test;

/** The arrows of docs/architecture.md. */
class HouseTest {

  private static final JavaClasses HOUSE =
      new ClassFileImporter()
          .withImportOption(new DoNotIncludeTests())
          .withImportOption(location -> !location.contains("-tests.jar"))
          .importPackages("dev.smelt");

  @Test
  void allRoomsWereFound() {
    assertThat(HOUSE.stream().map(JavaClass::getPackageName).distinct())
        .contains(
            "dev.smelt.formats",
            "dev.smelt.gpu.engine",
            "dev.smelt.merge",
            "dev.smelt.compress.factorize",
            "dev.smelt.cli");
  }

  @Test
  void arrowsPointUp() {
    layeredArchitecture()
        .consideringOnlyDependenciesInLayers()
        .layer("formats")
        .definedBy("dev.smelt.formats..")
        .layer("gpu")
        .definedBy("dev.smelt.gpu..")
        .layer("merge")
        .definedBy("dev.smelt.merge..")
        .layer("compress")
        .definedBy("dev.smelt.compress..")
        .layer("cli")
        .definedBy("dev.smelt.cli..")
        .whereLayer("cli")
        .mayNotBeAccessedByAnyLayer()
        .whereLayer("merge")
        .mayOnlyBeAccessedByLayers("cli")
        .whereLayer("compress")
        .mayOnlyBeAccessedByLayers("cli")
        .whereLayer("gpu")
        .mayOnlyBeAccessedByLayers("merge", "compress", "cli")
        .check(HOUSE);
  }

  @Test
  void onlyGpuKnowsTheEngine() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.smelt.gpu..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("ai.djl..")
        .check(HOUSE);
  }

  @Test
  void engineInternalsStayInGpu() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.smelt.gpu..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "dev.smelt.gpu.torch..", "dev.smelt.gpu.layer..", "dev.smelt.gpu.gradient..")
        .check(HOUSE);
  }

  @Test
  void onlyCliKnowsTheCommandLine() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.smelt.cli..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("picocli..")
        .check(HOUSE);
  }

  @Test
  void onlyMainEndsTheProcess() {
    noClasses()
        .that()
        .doNotHaveFullyQualifiedName("dev.smelt.cli.Main")
        .should()
        .callMethod(System.class, "exit", int.class)
        .orShould()
        .callMethod(Runtime.class, "halt", int.class)
        .check(HOUSE);
  }

  @Test
  void nothingPrintsBesideTheConsole() {
    noClasses()
        .that()
        .doNotHaveFullyQualifiedName("dev.smelt.cli.Main")
        .should()
        .accessField(System.class, "out")
        .orShould()
        .accessField(System.class, "err")
        .check(HOUSE);
  }
}
