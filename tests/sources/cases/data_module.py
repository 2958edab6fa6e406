from cpgpt.data.cpgpt_datamodule import CpGPTDataModule

if __name__ == "__main__":
    module = CpGPTDataModule(train_dir="data", dependencies_dir="dependencies/human", num_workers=4)  #> 602=error@MWF
