#include "solver/io/vtk_file.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <vtkCellData.h>
#include <vtkDataArray.h>
#include <vtkDoubleArray.h>
#include <vtkErrorCode.h>
#include <vtkFloatArray.h>
#include <vtkImageData.h>
#include <vtkNew.h>
#include <vtkObject.h>
#include <vtkSmartPointer.h>
#include <vtkXMLImageDataReader.h>
#include <vtkXMLImageDataWriter.h>

#include "meshes/error.hpp"
#include "solver/io/diagnostics.hpp"
#include "solver/io/files.hpp"

namespace underdamp {
namespace {

/// Large blocks compress a little better; ParaView reads any.
constexpr std::size_t block_bytes = std::size_t{1} << 20;

/// VTK runs x = θ fastest, fields run v fastest. By squares of cells, so that both sides stay in the cache.
template <class Number>
void transpose(std::span<const double> from, std::size_t rows, std::size_t columns, std::size_t stride, Number* to) {
  constexpr std::size_t square = 16;
  for (std::size_t first_row = 0; first_row < rows; first_row += square) {
    const std::size_t end_row = std::min(first_row + square, rows);
    for (std::size_t first_column = 0; first_column < columns; first_column += square) {
      const std::size_t end_column = std::min(first_column + square, columns);
      for (std::size_t j = first_column; j < end_column; ++j) {
        for (std::size_t i = first_row; i < end_row; ++i)
          to[(j * rows + i) * stride] = static_cast<Number>(from[i * columns + j]);
      }
    }
  }
}

template <class Array>
vtkSmartPointer<vtkDataArray> transposed(const CellArray& source, const PhasePlane& plane) {
  using Number = typename Array::ValueType;
  const auto rows = static_cast<std::size_t>(plane.theta.cells);
  const auto columns = static_cast<std::size_t>(plane.velocity.cells);
  const std::size_t stride = source.components.size();
  auto array = vtkSmartPointer<Array>::New();
  array->SetName(source.name.c_str());
  array->SetNumberOfComponents(static_cast<int>(stride));
  array->SetNumberOfTuples(static_cast<vtkIdType>(rows * columns));
  Number* const to = array->GetPointer(0);
  std::fill_n(to, rows * columns * stride, Number{});
  for (std::size_t c = 0; c < stride; ++c) {
    if (!source.components[c].empty()) transpose(source.components[c], rows, columns, stride, to + c);
  }
  return array;
}

}  // namespace

bool has_vtk() {
  return true;
}

void write_vti(const std::filesystem::path& path, const PhasePlane& plane, const std::vector<CellArray>& arrays,
               bool float64) {
  vtkObject::GlobalWarningDisplayOff();  // our messages say what the user can do
  vtkNew<vtkImageData> image;
  image->SetDimensions(plane.theta.cells + 1, plane.velocity.cells + 1, 1);
  image->SetOrigin(plane.theta.lower, plane.velocity.lower, 0.0);
  image->SetSpacing(plane.theta.width(), plane.velocity.width(), 1.0);
  for (const CellArray& array : arrays) {
    image->GetCellData()->AddArray(float64 ? transposed<vtkDoubleArray>(array, plane)
                                           : transposed<vtkFloatArray>(array, plane));
  }
  image->GetCellData()->SetActiveScalars("density");
  if (image->GetCellData()->HasArray("current") != 0) image->GetCellData()->SetActiveVectors("current");
  write_atomically(path, [&](const std::filesystem::path& temporary) {
    vtkNew<vtkXMLImageDataWriter> writer;
    writer->SetFileName(temporary.c_str());
    writer->SetInputData(image);
    writer->SetDataModeToAppended();
    writer->EncodeAppendedDataOff();
    writer->SetCompressorTypeToLZ4();
    writer->SetBlockSize(block_bytes);
    if (writer->Write() != 1 || writer->GetErrorCode() != vtkErrorCode::NoError) {
      throw Error(
          ExitCode::input_output,
          std::string("cannot write the picture: ") + vtkErrorCode::GetStringFromErrorCode(writer->GetErrorCode()),
          path.string(), "check space and permissions there");
    }
  });
}

GridDensity read_vti_density(const std::string& file) {
  vtkNew<vtkXMLImageDataReader> reader;
  if (reader->CanReadFile(file.c_str()) == 0) {
    refuse(file, "", "this is not a .vti file that can be read", "give a .vti that an earlier run wrote");
  }
  reader->SetFileName(file.c_str());
  reader->Update();
  vtkImageData* image = reader->GetOutput();
  vtkDataArray* density = image->GetCellData()->GetArray("density");
  if (density == nullptr || density->GetNumberOfComponents() != 1) {
    refuse(file, "", "there is no cell array \"density\"", "give a .vti that an earlier run wrote");
  }
  const double* const spacing = image->GetSpacing();
  const vtkIdType cells = image->GetNumberOfCells();
  if (density->GetNumberOfTuples() != cells || !std::isfinite(image->GetOrigin()[0] + image->GetOrigin()[1]) ||
      !(spacing[0] > 0.0 && std::isfinite(spacing[0]) && spacing[1] > 0.0 && std::isfinite(spacing[1]))) {
    refuse(file, "",
           fmt::format("{} densities for {} cells of {} × {}", density->GetNumberOfTuples(), cells, spacing[0],
                       spacing[1]),
           "give a .vti that an earlier run wrote");
  }
  int points[3];
  image->GetDimensions(points);
  GridDensity grid;
  for (int i = 0; i + 1 < points[0]; ++i)
    grid.theta.push_back(image->GetOrigin()[0] + (i + 0.5) * image->GetSpacing()[0]);
  for (int j = 0; j + 1 < points[1]; ++j)
    grid.velocity.push_back(image->GetOrigin()[1] + (j + 0.5) * image->GetSpacing()[1]);
  if (grid.theta.size() < 4 || grid.velocity.size() < 4) {
    refuse(file, "", "fewer than 4 × 4 cells", "give a .vti that an earlier run wrote");
  }
  for (std::size_t i = 0; i < grid.theta.size(); ++i) {
    for (std::size_t j = 0; j < grid.velocity.size(); ++j) {
      grid.values.push_back(density->GetComponent(static_cast<vtkIdType>(j * grid.theta.size() + i), 0));
    }
  }
  return grid;
}

}  // namespace underdamp
